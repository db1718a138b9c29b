import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rdtf_bench.data.reading.images import stills
from rdtf_bench.data.reading.images.apng import SIGNATURE
from tests.data.reading.images.test_apng import chunk


@pytest.mark.parametrize(("orientation", "corner"), [(1, (0, 0)), (3, (3, 2)), (6, (2, 0)), (8, (0, 3)), (2, (3, 0))])
@pytest.mark.parametrize("suffix", [".jpg", ".png"])
def test_a_picture_is_turned_upright(orientation: int, corner: tuple[int, int], suffix: str, tmp_path: Path) -> None:
    image = Image.new("RGB", (32, 24), (0, 0, 255))
    image.paste((255, 0, 0), (0, 0, 8, 8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / f"a{suffix}", exif=exif)
    found = stills.read(tmp_path / f"a{suffix}")
    assert found.size == ((24, 32) if orientation in (6, 8) else (32, 24))
    places = {
        place: found.getpixel((8 * place[0] + 4, 8 * place[1] + 4))
        for place in [(0, 0), (3, 2), (2, 0), (0, 3), (3, 0)]
        if 8 * place[0] < found.width and 8 * place[1] < found.height
    }
    assert [place for place, pixel in places.items() if pixel[0] > 128] == [corner]  # type: ignore[index]


@pytest.mark.parametrize("mode", ["I;16", "I", "I;16B"])
def test_16_bit_grey_is_scaled(mode: str) -> None:
    levels = np.array([[0, 255, 256, 32768, 65535]], ">u2" if mode == "I;16B" else "<u2")
    image = Image.frombytes("I;16B", (5, 1), levels.tobytes()) if mode == "I;16B" else Image.fromarray(levels)
    image = image.convert(mode) if mode == "I" else image
    assert image.mode == mode
    assert np.asarray(stills.on_white(image))[0, :, 0].tolist() == [0, 1, 1, 128, 255]


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_is_white(mode: str) -> None:
    image = Image.new("RGBA", (2, 1), (0, 0, 0, 0))
    image.putpixel((1, 0), (0, 0, 0, 255))
    assert np.asarray(stills.on_white(image.convert(mode)))[0, :, 0].tolist() == [255, 0]


def test_other_modes_keep_their_colours() -> None:
    for mode in ("1", "L", "RGB", "CMYK", "YCbCr"):
        assert stills.on_white(Image.new("RGB", (1, 1), (255, 255, 255)).convert(mode)).getpixel((0, 0)) == (255,) * 3


def test_webp_is_not_turned_as_in_browsers(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (32, 24)).save(tmp_path / "a.webp", exif=exif)
    assert stills.read(tmp_path / "a.webp").size == (32, 24)


@pytest.mark.parametrize(
    ("depth", "colours", "row", "transparent", "expected"),
    [
        (2, 0, b"\x1b", (1,), (0, 255, 170, 255)),
        (4, 0, b"\x01\x2f", (2,), (0, 17, 255, 255)),
        (16, 0, b"\x00\x00\x40\x00\x80\x00\xff\xff", (0x4000,), (0, 255, 128, 255)),
        (16, 2, 6 * b"\x00" + 6 * b"\x40" + 6 * b"\x80" + 6 * b"\xff", (0x4040,) * 3, (0, 255, 128, 255)),
    ],
)
def test_the_transparent_colour_of_a_png_is_white_at_every_depth(
    depth: int, colours: int, row: bytes, transparent: tuple[int, ...], expected: tuple[int, ...], tmp_path: Path
) -> None:
    header = struct.pack(">IIBBBBB", 4, 1, depth, colours, 0, 0, 0)
    key = struct.pack(f">{len(transparent)}H", *transparent)
    chunks = [(b"IHDR", header), (b"tRNS", key), (b"IDAT", zlib.compress(b"\x00" + row)), (b"IEND", b"")]
    (tmp_path / "a.png").write_bytes(SIGNATURE + b"".join(chunk(*part) for part in chunks))
    assert np.asarray(stills.read(tmp_path / "a.png"))[0, :, 0].tolist() == list(expected)
