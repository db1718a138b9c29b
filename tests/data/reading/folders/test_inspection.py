import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from rdtf_bench.data.reading import source
from rdtf_bench.data.reading.folders.inspection import inspect


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".apng"])
def test_a_whole_animation_is_counted_and_hashed(suffix: str, tmp_path: Path, animation: Callable[..., Path]) -> None:
    path = animation(tmp_path / f"a{suffix}", 9)
    facts = inspect(path)
    assert facts.why_broken is None
    assert facts.num_frames == 9
    assert facts.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_a_file_cut_off_anywhere_is_broken(suffix: str, tmp_path: Path, animation: Callable[..., Path]) -> None:
    data = animation(tmp_path / f"whole{suffix}", 5).read_bytes()
    path = tmp_path / f"cut{suffix}"
    for length in range(0, len(data) - 1, 3):
        path.write_bytes(data[:length])
        facts = inspect(path)
        if facts.without_trailer:  # cut behind a whole frame
            continue
        assert facts.why_broken, f"{length} of {len(data)} bytes"
        assert facts.num_frames == 0


def test_a_gif_that_lacks_its_last_byte_alone_is_read_and_counted(
    tmp_path: Path, gif_bytes: Callable[..., bytes]
) -> None:
    data = gif_bytes([(1, None, [[number]]) for number in (1, 2)])
    path = tmp_path / "a.gif"
    path.write_bytes(data)
    assert not inspect(path).without_trailer
    path.write_bytes(data[:-1])
    assert (inspect(path).num_frames, inspect(path).without_trailer) == (2, True)
    path.write_bytes(data[:-2])  # the end of the last image's data is missing as well
    assert "cut off" in (inspect(path).why_broken or "")
    path.write_bytes(data[:-1] + b"\x21\xf9\x04")  # a further frame began
    assert "cut off" in (inspect(path).why_broken or "")


def test_a_webp_that_breaks_after_its_first_frame_is_broken(tmp_path: Path, animation: Callable[..., Path]) -> None:
    path = animation(tmp_path / "a.webp", 5, size=(32, 32))
    data = bytearray(path.read_bytes())
    second = data.index(b"ANMF", data.index(b"ANMF") + 4)
    data[second + 32 : second + 38] = bytes(6)  # the beginning of its compressed pixels
    path.write_bytes(data)
    assert "cannot be decoded" in (inspect(path).why_broken or "")


@pytest.mark.parametrize(("delays", "uneven"), [((10, 10, 10), False), ((10, 20, 10), True), ((0, 1, 10), False)])
def test_frames_that_are_shown_for_different_times_are_noticed(
    delays: tuple[int, ...], uneven: bool, tmp_path: Path, gif_bytes: Callable[..., bytes]
) -> None:
    path = tmp_path / "a.gif"
    path.write_bytes(gif_bytes([(1, None, [[1]], 0, 0, delay) for delay in delays]))
    assert inspect(path).is_uneven == uneven


def test_stray_bytes_between_blocks_and_after_the_end_are_forgiven(
    tmp_path: Path, gif_bytes: Callable[..., bytes]
) -> None:
    data = gif_bytes([(1, None, [[1]]), (1, None, [[2]])])
    path = tmp_path / "a.gif"
    path.write_bytes(data[:-1] + b"\x00\x00;tail")
    assert inspect(path).num_frames == 2


def test_what_is_no_image_is_said_to_be_none(tmp_path: Path) -> None:
    text, empty, other = tmp_path / "a.gif", tmp_path / "b.gif", tmp_path / "c.gif"
    text.write_text("hello")
    empty.touch()
    Image.new("RGB", (4, 4)).save(other, format="BMP")
    assert inspect(text).why_broken == "is not a GIF, WebP or PNG image"
    assert inspect(empty).why_broken == "is empty"
    assert inspect(other).why_broken == "is not a GIF, WebP or PNG image"
    assert "cannot be read" in (inspect(tmp_path / "none.gif").why_broken or "")


def test_a_still_image_has_one_frame(tmp_path: Path, animation: Callable[..., Path]) -> None:
    assert inspect(animation(tmp_path / "a.gif", 1)).num_frames == 1
    assert inspect(animation(tmp_path / "a.png", 1)).num_frames == 1


def test_the_picture_before_an_apng_is_not_counted(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), (level, 0, 0)) for level in (0, 90, 180)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:], default_image=True)
    assert inspect(tmp_path / "a.png").num_frames == 2


def test_more_pixels_than_the_limit_are_refused(
    tmp_path: Path, animation: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = animation(tmp_path / "a.gif", 5, size=(10, 10))
    monkeypatch.setattr(source, "MAX_PIXELS", 99)
    assert "5 frames of 10x10" in (inspect(path).why_broken or "")
    monkeypatch.setattr(source, "MAX_PIXELS", 100)
    assert inspect(path).num_frames == 5
