"""Animated GIF made byte by byte, so that what a decoder must show is known without one."""

import struct
from collections.abc import Sequence
from typing import NamedTuple

WHITE, RED, GREEN, BLUE = (255, 255, 255), (255, 0, 0), (0, 255, 0), (0, 0, 255)
PALETTE = (WHITE, RED, GREEN, BLUE)


class GifFrame(NamedTuple):
    """An image block with its control extension."""

    disposal: int
    transparent: int | None  # index
    rows: Sequence[Sequence[int]]  # palette indices
    left: int = 0
    top: int = 0
    delay_cs: int = 10


def gif(
    frames: Sequence[GifFrame | tuple[int, int | None, Sequence[Sequence[int]]]],
    *,
    screen: tuple[int, int] | None = None,
    background: int = 0,
) -> bytes:
    """A GIF89a with a palette of four colours; LZW that clears its table every second pixel, so codes stay 3 bits."""
    blocks = [GifFrame(*frame) for frame in frames]
    width, height = screen or (len(blocks[0].rows[0]), len(blocks[0].rows))
    data = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x81, background, 0)
    data += bytes(level for colour in PALETTE for level in colour)
    for block in blocks:
        flags = block.disposal << 2 | (block.transparent is not None)
        data += b"\x21\xf9\x04" + struct.pack("<BHB", flags, block.delay_cs, block.transparent or 0) + b"\x00"
        data += b"\x2c" + struct.pack("<HHHHB", block.left, block.top, len(block.rows[0]), len(block.rows), 0) + b"\x02"
        packed = _lzw([index for row in block.rows for index in row])
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
