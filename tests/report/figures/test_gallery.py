"""The pictures show the pixels they were given, frame by frame."""

from pathlib import Path

import numpy as np
import pytest
from jaxtyping import UInt8
from PIL import Image, ImageSequence

from rdtf_bench.report.figures.gallery import contact_sheet, gif_grid

SIZE = 16


def solid(colours: list[list[tuple[int, int, int]]]) -> UInt8[np.ndarray, "B F C H W"]:
    """Clips by frames of one colour each."""
    flat = np.array(colours, dtype=np.uint8)
    return np.ascontiguousarray(np.broadcast_to(flat[..., None, None], (*flat.shape, SIZE, SIZE)))


def frames_of(path: Path) -> list[Image.Image]:
    with Image.open(path) as image:
        return [frame.convert("RGB") for frame in ImageSequence.Iterator(image)]


def colours_in(picture: Image.Image) -> set[tuple[int, ...]]:
    counted = picture.getcolors(maxcolors=2**16)
    assert counted is not None
    return {colour for _, colour in counted if isinstance(colour, tuple)}


FADE = [(20 * frame, 255 - 20 * frame, 100) for frame in range(8)]
STILL = [(9, 90, 200)] * 8


def test_every_frame_of_the_gif_has_the_pixels_of_its_frame(tmp_path: Path) -> None:
    path = gif_grid({"real": solid([FADE]), "RDTF": solid([STILL])}, path=tmp_path / "a.gif", captions=["a fade"])
    frames = frames_of(path)
    assert len(frames) == 8
    for frame, colour in zip(frames, FADE, strict=True):
        assert colour in colours_in(frame)
        assert STILL[0] in colours_in(frame)
        assert not set(FADE) - {colour} & colours_in(frame) - {colour} & set(FADE) & colours_in(frame) - {colour}


def test_a_grid_of_still_clips_keeps_all_its_frames(tmp_path: Path) -> None:
    path = gif_grid({"static": solid([STILL, STILL])}, path=tmp_path / "a.gif", captions=["one", "two"])
    assert len(frames_of(path)) == 8
    with Image.open(path) as image:
        assert image.info["duration"] == 120
        assert image.info["loop"] == 0


def test_rows_are_lines_and_clips_are_columns(tmp_path: Path) -> None:
    colours = [[(250, 0, 0)], [(0, 250, 0)], [(0, 0, 250)], [(250, 250, 0)]]
    rows = {"real": solid(colours[:2]), "RDTF": solid(colours[2:])}
    (frame,) = frames_of(gif_grid(rows, path=tmp_path / "a.gif", captions=["x", "y"], zoom=1))
    pixels = np.asarray(frame)
    places = [np.argwhere((pixels == colour[0]).all(-1)) for colour in colours]
    assert [len(place) for place in places] == [SIZE * SIZE] * 4
    (top_left, top_right, below_left, below_right) = [tuple(map(int, place.min(0))) for place in places]
    assert top_left[0] == top_right[0] < below_left[0] == below_right[0]
    assert top_left[1] == below_left[1] < top_right[1] == below_right[1]


def test_noise_comes_back_within_what_255_colours_allow(tmp_path: Path) -> None:
    """2,048 random colours in 255: a box of an eighth of the range a side, so about 9 levels off on average."""
    noise = np.random.default_rng(0).integers(0, 256, (1, 2, 3, SIZE * 2, SIZE * 2), dtype=np.uint8)  # noqa: TID251
    path = gif_grid({"noise": noise}, path=tmp_path / "a.gif", captions=[""], zoom=1)
    for frame, given in zip(frames_of(path), noise[0], strict=True):
        shown = np.asarray(frame)[-SIZE * 2 - 6 : -6, -SIZE * 2 - 2 : -2]
        assert np.abs(shown.astype(int) - given.transpose(1, 2, 0)).mean() < 20


def test_the_contact_sheet_has_frames_as_columns_and_a_block_for_each_clip(tmp_path: Path) -> None:
    rows = {"real": solid([FADE, STILL]), "RDTF": solid([STILL, FADE])}
    with Image.open(contact_sheet(rows, path=tmp_path / "a.png", captions=["a fade", "a still"])) as sheet:
        pixels = np.asarray(sheet.convert("RGB"))
    lefts = [int(np.argwhere((pixels == colour).all(-1))[:, 1].min()) for colour in FADE]
    assert lefts == sorted(lefts)
    assert len(set(np.diff(lefts))) == 1
    rows_with_stills = np.flatnonzero((pixels == STILL[0]).all(-1).any(1))
    assert len(rows_with_stills) == 2 * SIZE


def test_rows_of_different_shapes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="rows of one shape"):
        gif_grid({"a": solid([STILL]), "b": solid([STILL[:4]])}, path=tmp_path / "a.gif", captions=["x"])


def test_captions_are_counted(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="1 clips and 2 captions"):
        contact_sheet({"a": solid([STILL])}, path=tmp_path / "a.png", captions=["x", "y"])


def test_a_long_caption_stays_over_its_column(tmp_path: Path) -> None:
    """Left of the second column, the first caption's lines end; the sheet grows by no more than three lines."""
    long = "a very long caption about a cat that " * 5
    rows = {"a": solid([STILL, STILL])}
    tall = frames_of(gif_grid(rows, path=tmp_path / "a.gif", captions=[long, ""], zoom=4))[0]
    short = frames_of(gif_grid(rows, path=tmp_path / "b.gif", captions=["x", ""], zoom=4))[0]
    assert tall.height - short.height == 2 * 13
    second = int(np.argwhere((np.asarray(tall) == STILL[0]).all(-1))[:, 1].max()) - 4 * SIZE
    over_second = np.asarray(tall)[: 3 * 13, second + 3 :]
    assert (over_second == 255).all()
