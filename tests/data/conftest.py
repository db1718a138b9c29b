"""Animations made byte by byte, so that what a decoder must show is known without one."""

import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from PIL import Image

WHITE, RED, GREEN, BLUE = (255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255)
PALETTE = (WHITE, RED, GREEN, BLUE)
GifFrame = tuple[int, int | None, Sequence[Sequence[int]]]  # disposal, transparent index, rows of palette indices


def gif(frames: Sequence[GifFrame]) -> bytes:
    """A GIF89a with a palette of four colours; LZW that clears its table every second pixel, so codes stay 3 bits."""
    height, width = len(frames[0][2]), len(frames[0][2][0])
    data = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x81, 0, 0)
    data += bytes(level for colour in PALETTE for level in colour)
    for disposal, transparent, rows in frames:
        flags = disposal << 2 | (transparent is not None)
        data += b"\x21\xf9\x04" + struct.pack("<BHB", flags, 10, transparent or 0) + b"\x00"
        data += b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02"
        packed = _lzw([index for row in rows for index in row])
        for start in range(0, len(packed), 255):
            part = packed[start : start + 255]
            data += bytes([len(part)]) + part
        data += b"\x00"
    return data + b"\x3b"


def _lzw(pixels: Sequence[int]) -> bytes:
    codes = []
    for at, pixel in enumerate(pixels):
        codes += [4, pixel] if at % 2 == 0 else [pixel]
    bits = sum(code << 3 * at for at, code in enumerate([*codes, 5]))
    return bits.to_bytes(-(-3 * (len(codes) + 1) // 8), "little")


@pytest.fixture
def animation() -> Callable[..., Path]:
    """Write an animation of plain frames whose grey level tells their number, in the format of the suffix."""

    def write(path: Path, num_frames: int = 8, *, size: tuple[int, int] = (6, 4), seed: int = 0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        frames = [Image.new("RGB", size, (10 * number, 10 * number, seed)) for number in range(num_frames)]
        lossless = {"lossless": True} if path.suffix == ".webp" else {}
        kind = "PNG" if path.suffix == ".apng" else None
        frames[0].save(path, format=kind, save_all=True, append_images=frames[1:], duration=100, loop=0, **lossless)
        return path

    return write


@pytest.fixture
def real_stickers() -> Path:
    """A folder of real stickers beside the repository, where a developer has one."""
    root = Path(__file__).parents[2] / ".." / "shared" / "stickers"
    if not root.is_dir():
        pytest.skip("needs a folder of real stickers (../shared/stickers), which the repository does not hold")
    return root.resolve()


@pytest.fixture
def gif_bytes() -> Callable[[Sequence[GifFrame]], bytes]:
    return gif
