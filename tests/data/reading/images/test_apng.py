"""Each expectation is what Chromium 150 shows of the same bytes (ImageDecoder, on white)."""

import struct
import zlib
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image

from rdtf_bench.data.reading.images.apng import SIGNATURE, Apng

RGBA, RGB, GREY = 6, 2, 0  # colour types
SOURCE, OVER = 0, 1  # blend_op
KEPT, BACKGROUND, PREVIOUS = 0, 1, 2  # dispose_op
Pixel = tuple[int, ...]


class Part(NamedTuple):
    """One frame of a single colour."""

    pixel: Pixel
    box: tuple[int, int, int, int] = (0, 0, 2, 2)  # left, top, width, height
    dispose: int = KEPT
    blend: int = SOURCE
    delay: tuple[int, int] = (1, 10)


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def apng(parts: Sequence[Part], *, depth: int = 8, colours: int = RGBA, more: bytes = b"", announced: int = 0) -> bytes:
    data = SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, depth, colours, 0, 0, 0)) + more
    data += chunk(b"acTL", struct.pack(">II", announced or len(parts), 0))
    number = 0
    for place, part in enumerate(parts):
        left, top, width, height = part.box
        row = b"\x00" + np.array([part.pixel] * width, ">u2" if depth == 16 else "u1").tobytes()
        control = struct.pack(">5I2HBB", number, width, height, left, top, *part.delay, part.dispose, part.blend)
        pixels = zlib.compress(row * height)
        data += chunk(b"fcTL", control)
        data += chunk(b"fdAT", struct.pack(">I", number + 1) + pixels) if place else chunk(b"IDAT", pixels)
        number += 2 if place else 1
    return data + chunk(b"IEND", b"")


def frames(data: bytes) -> list[Image.Image]:
    return [draw().copy() for draw in Apng(data).decoded()]


def corners(data: bytes) -> list[tuple[Pixel, Pixel]]:
    """The pixels at the upper left and the lower right of each frame."""
    return [(frame.getpixel((0, 0)), frame.getpixel((1, 1))) for frame in frames(data)]  # type: ignore[misc]


def test_over_is_porter_and_duff() -> None:
    half_red, half_blue = (255, 0, 0, 128), (0, 0, 255, 128)
    found = corners(apng([Part(half_red), Part(half_blue, (1, 1, 1, 1), blend=OVER)]))
    assert found[0] == ((255, 127, 127), (255, 127, 127))
    # alpha 1 - (127/255)^2, and blue before red; Pillow's own composition gives (128, 63, 191) on white
    assert np.allclose(found[1], [(255, 127, 127), (127, 63, 191)], atol=1)
    twice = corners(apng([Part((0, 0, 0, 0)), Part(half_blue, blend=OVER)]))
    assert np.allclose(twice[1][0], (127, 127, 255), atol=1)


def test_source_replaces_what_is_below() -> None:
    found = corners(apng([Part((255, 0, 0, 255)), Part((0, 0, 0, 0), (1, 1, 1, 1), blend=SOURCE)]))
    assert found[1] == ((255, 0, 0), (255, 255, 255))


@pytest.mark.parametrize(
    ("dispose", "below"), [(KEPT, (0, 0, 255)), (BACKGROUND, (255, 255, 255)), (PREVIOUS, (255, 0, 0))]
)
def test_disposal(dispose: int, below: Pixel) -> None:
    red, blue, green = (255, 0, 0, 255), (0, 0, 255, 255), (0, 255, 0, 255)
    found = corners(apng([Part(red), Part(blue, dispose=dispose), Part(green, (0, 0, 1, 1), blend=OVER)]))
    assert found[2] == ((0, 255, 0), below)


@pytest.mark.parametrize(
    ("colours", "pixel", "shown"),
    [
        (GREY, (0x80FF,), (128, 128, 128)),
        (GREY, (0x0180,), (1, 1, 1)),
        (RGB, (0x80FF, 0x1234, 0xFFFF), (128, 18, 255)),
        (RGBA, (0, 0, 0, 0x8000), (127, 127, 127)),
    ],
)
def test_16_bits_are_scaled(colours: int, pixel: Pixel, shown: Pixel) -> None:
    assert corners(apng([Part(pixel), Part(pixel)], depth=16, colours=colours)) == [(shown, shown)] * 2


def test_the_transparent_level_of_16_bit_grey_is_white() -> None:
    data = apng([Part((0x0180,)), Part((0x0280,))], depth=16, colours=GREY, more=chunk(b"tRNS", b"\x01\x80"))
    assert [place for place, _ in corners(data)] == [(255, 255, 255), (2, 2, 2)]


def test_durations() -> None:
    delays = [(1, 10), (0, 10), (1, 0), (7, 10), (1, 3)]
    data = apng([Part((0, 0, 0, 255), delay=delay) for delay in delays])
    assert Apng(data).durations_us == (100_000, 100_000, 100_000, 700_000, 333_333)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (apng([Part((0, 0, 0, 255), (1, 1, 2, 2))]), "lies outside"),
        (apng([Part((0, 0, 0, 255))] * 2, announced=3), "2 of 3 frames"),
        (apng([Part((0, 0, 0, 255))] * 2)[:-12], "cut off"),
        (apng([Part((0, 0, 0, 255))] * 2).replace(b"fdAT", b"fdAX"), "check sum differs"),
    ],
)
def test_faults_are_named(data: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        frames(data)


def test_an_animation_is_turned_by_its_exif() -> None:
    exif = b"MM\x00\x2a\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"
    red, blue = (255, 0, 0, 255), (0, 0, 255, 255)
    data = apng([Part(red), Part(blue, (0, 0, 2, 1))], more=chunk(b"eXIf", exif))
    assert Apng(data).size == (2, 2)
    last = frames(data)[-1]
    assert [last.getpixel(at) for at in ((0, 0), (1, 0), (0, 1), (1, 1))] == [red[:3], blue[:3]] * 2
