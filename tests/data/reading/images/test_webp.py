"""Each expectation is what Chromium 150 shows of the same bytes (ImageDecoder, on white)."""

import io
from pathlib import Path

import pytest
from PIL import Image

from rdtf_bench.data.reading.folders.inspection import inspect
from rdtf_bench.data.reading.images import stills
from rdtf_bench.data.reading.images.webp import WebP

ALPHA_FLAG = 20  # byte of the file


def animated(*frames: Image.Image, exif: bytes = b"") -> bytearray:
    held = io.BytesIO()
    frames[0].save(held, "WEBP", save_all=True, append_images=frames[1:], lossless=True, exif=exif)
    return bytearray(held.getvalue())


def test_what_no_frame_covers_is_white_without_the_flag_of_alpha() -> None:
    clear = Image.new("RGBA", (16, 16), (0, 0, 0, 0))
    drawn = clear.copy()
    drawn.paste((255, 0, 0, 255), (0, 0, 4, 4))
    data = animated(drawn, clear)
    data[ALPHA_FLAG] &= ~0x10
    for draw in WebP(bytes(data)).decoded():
        assert draw().getpixel((12, 12)) == (255, 255, 255)


def test_an_animation_is_not_turned_by_its_exif(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    frames = [Image.new("RGB", (32, 24), colour) for colour in ("red", "blue")]
    path = tmp_path / "a.webp"
    path.write_bytes(animated(*frames, exif=exif.tobytes()))
    assert {draw().size for draw in WebP(path.read_bytes()).decoded()} == {(32, 24)}
    assert (inspect(path).width_px, inspect(path).height_px) == (32, 24)


def test_a_frame_whose_name_is_damaged_is_named_and_not_left_out() -> None:
    data = animated(*(Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")))
    at = data.rindex(b"ANMF")
    data[at] ^= 1
    with pytest.raises(ValueError, match=f"the file is damaged: at byte {at} is no chunk"):
        WebP(bytes(data))


def test_all_frames_are_decoded_and_only_those_that_are_needed_are_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.webp"
    path.write_bytes(animated(*(Image.new("RGB", (8, 8), (20 * number, 0, 0)) for number in range(9))))
    drawn: list[int] = []
    on_white = stills.on_white

    def counted(image: Image.Image) -> Image.Image:
        drawn.append(image.tell())
        return on_white(image)

    monkeypatch.setattr(stills, "on_white", counted)
    assert inspect(path, with_look=True).num_frames == 9
    assert drawn == [0, 3, 6]  # those that near copies are found by
    drawn.clear()
    assert inspect(path).num_frames == 9
    assert drawn == []
    assert [number for number, _ in WebP(path.read_bytes()).chosen((7, 2))] == [2, 7]
    assert drawn == [2, 7]
