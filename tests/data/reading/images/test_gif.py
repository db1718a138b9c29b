"""Each expectation is what Chromium 150 shows of the same bytes (ImageDecoder, on white)."""

from collections.abc import Callable

import numpy as np
import pytest

from rdtf_bench.data.reading.images.gif import Gif
from tests.data.gifs import GifFrame

NAMES = {(255, 255, 255): ".", (255, 0, 0): "R", (0, 255, 0): "G", (0, 0, 255): "B"}
RED, GREEN, BLUE = 1, 2, 3


def block(
    index: int, left: int, top: int, width: int, height: int, disposal: int, transparent: int | None = None
) -> GifFrame:
    return GifFrame(disposal, transparent, [[index] * width] * height, left, top)


def shown(data: bytes) -> list[list[str]]:
    """Each frame as rows of letters."""
    return [
        ["".join(NAMES[tuple(pixel)] for pixel in row) for row in np.asarray(draw())] for draw in Gif(data).decoded()
    ]


WHOLE = block(RED, 0, 0, 4, 4, 1)
CORNER = block(GREEN, 3, 3, 1, 1, 1)


@pytest.mark.parametrize("background", [0, 1, 2])
@pytest.mark.parametrize("transparent", [None, 0])
def test_disposal_2_uncovers_white_whatever_the_background(
    background: int, transparent: int | None, gif_bytes: Callable[..., bytes]
) -> None:
    frames = [WHOLE, block(BLUE, 1, 1, 2, 2, 2, transparent), CORNER]
    assert shown(gif_bytes(frames, background=background)) == [
        ["RRRR", "RRRR", "RRRR", "RRRR"],
        ["RRRR", "RBBR", "RBBR", "RRRR"],
        ["RRRR", "R..R", "R..R", "RRRG"],
    ]


def test_a_disposal_holds_for_its_own_frame_alone(gif_bytes: Callable[..., bytes]) -> None:
    frames = [WHOLE, block(BLUE, 1, 1, 2, 2, 2), block(GREEN, 3, 3, 1, 1, 0), block(BLUE, 0, 0, 1, 1, 0)]
    assert shown(gif_bytes(frames))[3] == ["BRRR", "R..R", "R..R", "RRRG"]


@pytest.mark.parametrize("disposal", [3, 4])
def test_disposal_to_the_previous_frame(disposal: int, gif_bytes: Callable[..., bytes]) -> None:
    assert shown(gif_bytes([WHOLE, block(BLUE, 1, 1, 2, 2, disposal), CORNER]))[2] == ["RRRR", "RRRR", "RRRR", "RRRG"]


def test_before_the_first_frame_there_is_nothing(gif_bytes: Callable[..., bytes]) -> None:
    assert shown(gif_bytes([block(RED, 0, 0, 4, 4, 3), CORNER]))[1] == ["....", "....", "....", "...G"]


@pytest.mark.parametrize("background", [0, 3])
def test_what_no_frame_covers_is_white(background: int, gif_bytes: Callable[..., bytes]) -> None:
    data = gif_bytes([block(RED, 1, 1, 2, 2, 1), CORNER], screen=(4, 4), background=background)
    assert shown(data) == [["....", ".RR.", ".RR.", "...."], ["....", ".RR.", ".RR.", "...G"]]


def test_later_frames_are_clipped_to_the_screen(gif_bytes: Callable[..., bytes]) -> None:
    frames = [WHOLE, block(BLUE, 2, 2, 5, 5, 2), block(GREEN, 6, 6, 2, 2, 2), CORNER]
    assert shown(gif_bytes(frames)) == [
        ["RRRR", "RRRR", "RRRR", "RRRR"],
        ["RRRR", "RRRR", "RRBB", "RRBB"],
        ["RRRR", "RRRR", "RR..", "RR.."],
        ["RRRR", "RRRR", "RR..", "RR.G"],
    ]


@pytest.mark.parametrize("screen", [(2, 2), (0, 0)])
def test_the_first_frame_enlarges_the_screen(screen: tuple[int, int], gif_bytes: Callable[..., bytes]) -> None:
    frames = [block(RED, 1, 0, 2, 3, 1), block(BLUE, 0, 0, 9, 1, 1)]
    assert shown(gif_bytes(frames, screen=screen)) == [[".RR", ".RR", ".RR"], ["BBB", ".RR", ".RR"]]


def test_a_delay_of_at_most_10_ms_is_shown_for_100(gif_bytes: Callable[..., bytes]) -> None:
    data = gif_bytes([(1, None, [[1]], 0, 0, delay_cs) for delay_cs in (0, 1, 2, 70)])
    assert Gif(data).durations_us == (100_000, 100_000, 20_000, 700_000)


@pytest.mark.parametrize("length", [0, 5, 12, 20, 30])
def test_a_header_that_is_cut_off_is_a_fault(length: int, gif_bytes: Callable[..., bytes]) -> None:
    with pytest.raises((ValueError, IndexError)):
        Gif(gif_bytes([WHOLE])[:length])


def test_few_stray_bytes_between_blocks_are_skipped_and_many_are_damage(gif_bytes: Callable[..., bytes]) -> None:
    data = gif_bytes([WHOLE, CORNER])
    second = data.rindex(b"\x21\xf9")
    assert len(shown(data[:second] + bytes(3) + data[second:])) == 2
    header = data[: data.index(b"\x21\xf9")]
    assert len(shown(data[:second] + header + data[second:])) == 2  # as some programs write it
    with pytest.raises(ValueError, match=f"the file is damaged: at byte {second} is no block"):
        Gif(data[:second] + bytes(len(data) - second - 1) + b"\x3b")
