"""Read GIF89a and compose its frames as browsers do.

Pillow decompresses the frames. It does not compose them: for Pillow, disposal 2 and what no frame has covered take the
background colour of the header, a disposal holds for later frames that name none, and a frame that reaches over the
screen makes it larger.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from PIL import Image

from rdtf_bench.data.reading.images import stills
from rdtf_bench.data.reading.source import Draw, Source, require_bearable, shown_us

SIGNATURES = (b"GIF87a", b"GIF89a")
TRAILER, EXTENSION, IMAGE = 0x3B, 0x21, 0x2C  # first byte of a block
GRAPHIC_CONTROL = 0xF9
MOST_STRAY = 11
"""Number of bytes between blocks that are skipped. More of them could be what is left of a frame."""
TO_BACKGROUND, TO_PREVIOUS = 2, (3, 4)  # disposal; browsers take 4, which no standard knows, for 3


@dataclass(frozen=True, kw_only=True)
class _Control:
    """The graphic control extension of the next image."""

    disposal: int = 0
    transparent: int | None = None
    delay_cs: int = 0


@dataclass(frozen=True, kw_only=True)
class _Image:
    """One image block; `start` and `end` enclose its LZW data in sub-blocks."""

    left: int
    top: int
    size: tuple[int, int]
    palette: bytes
    interlaced: bool
    code_bits: int
    start: int
    end: int
    control: _Control


class Gif(Source):
    """A GIF file in memory. Raises ValueError or struct.error if its blocks are cut off or damaged."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._palette = _padded(data[13 : _after_header(data, 0)])
        self._images = tuple(self._parse())
        if not self._images:
            raise ValueError("holds no image")
        self.size = self._screen()
        for size in (self.size, *(image.size for image in self._images)):
            require_bearable(size, len(self._images))
        self.durations_us = tuple(shown_us(10_000 * image.control.delay_cs) for image in self._images)

    def decoded(self) -> Iterator[Draw]:
        canvas = Image.new("RGB", self.size, stills.WHITE)
        for image in self._images:
            left, top, (width, height) = image.left, image.top, image.size
            box = _clipped((left, top, left + width, top + height), self.size)
            before = canvas.crop(box) if image.control.disposal in TO_PREVIOUS else None
            drawn = self._draw(image)
            canvas.paste(drawn, (left, top), drawn if drawn.mode == "RGBA" else None)
            yield lambda: canvas
            if before is not None:
                canvas.paste(before, box)
            elif image.control.disposal == TO_BACKGROUND:
                canvas.paste(stills.WHITE, box)

    def _draw(self, image: _Image) -> Image.Image:
        """Decompress one image; it is RGBA if some of its pixels may be transparent, else RGB."""
        data = self._data[image.start : image.end]
        indexed = Image.frombytes("P", image.size, data, "gif", image.code_bits, image.interlaced, -1)
        if image.control.transparent is None:
            indexed.putpalette(image.palette, "RGB")
            return indexed.convert("RGB")
        colours = bytearray(4 * 256)
        for channel in range(3):
            colours[channel::4] = image.palette[channel::3]
        colours[3::4] = b"\xff" * 256
        colours[4 * image.control.transparent + 3] = 0
        indexed.putpalette(bytes(colours), "RGBA")
        return indexed.convert("RGBA")

    def _screen(self) -> tuple[int, int]:
        """Return the size of the screen, which browsers enlarge to hold the first frame; later ones are clipped."""
        width, height = struct.unpack_from("<HH", self._data, 6)
        first = self._images[0]
        return max(width, first.left + first.size[0]), max(height, first.top + first.size[1])

    def _parse(self) -> Iterator[_Image]:
        data = self._data
        at = _after_header(data, 0)
        control, whole, stray = _Control(), False, 0
        while at < len(data):
            kind, whole = data[at], False
            stray = 0 if kind in (TRAILER, EXTENSION, IMAGE) else stray + 1
            if kind == TRAILER:
                return
            if kind == EXTENSION:
                if data[at + 1 : at + 2] == bytes([GRAPHIC_CONTROL]) and at + 7 < len(data):
                    flags, delay_cs, index = struct.unpack_from("<BHB", data, at + 3)
                    control = _Control(
                        disposal=flags >> 2 & 7, transparent=index if flags & 1 else None, delay_cs=delay_cs
                    )
                at = _after_sub_blocks(data, at + 2)
            elif kind == IMAGE:
                image = self._image(at, control)
                at, control = image.end, _Control()
                whole = at <= len(data)
                yield image
            elif data.startswith(SIGNATURES, at):  # a second header, which some programs write and decoders skip
                at = _after_header(data, at)
            elif stray > MOST_STRAY:
                raise ValueError(f"the file is damaged: at byte {at - MOST_STRAY} is no block")
            else:  # a few stray bytes between blocks occur, such as a second end of the data, and decoders skip them
                at += 1
        if not (whole and at == len(data)):
            raise ValueError("the file is cut off: no GIF trailer")
        self.without_trailer = True

    def _image(self, at: int, control: _Control) -> _Image:
        """Return the image block that starts at a byte."""
        left, top, width, height, flags = struct.unpack_from("<4HB", self._data, at + 1)
        own = _own_palette(self._data, at + 10, flags)
        start = at + 10 + len(own) + 1
        return _Image(
            left=left,
            top=top,
            size=(width, height),
            palette=_padded(own) if own else self._palette,
            interlaced=bool(flags & 0x40),
            code_bits=self._data[start - 1],
            start=start,
            end=_after_sub_blocks(self._data, start),
            control=control,
        )


def _after_header(data: bytes, at: int) -> int:
    """Return the place behind a header and its palette."""
    return at + 13 + (len(_own_palette(data, at + 13, data[at + 10])) if len(data) > at + 12 else 0)


def _clipped(box: tuple[int, int, int, int], size: tuple[int, int]) -> tuple[int, int, int, int]:
    left, top, right, bottom = box
    width, height = size
    return min(left, width), min(top, height), min(right, width), min(bottom, height)


def _own_palette(data: bytes, at: int, flags: int) -> bytes:
    length = 3 << ((flags & 7) + 1) if flags & 0x80 else 0
    if at + length > len(data):
        raise ValueError("the file is cut off: in a palette")
    return data[at : at + length]


def _padded(palette: bytes) -> bytes:
    return palette.ljust(3 * 256, b"\x00")


def _after_sub_blocks(data: bytes, at: int) -> int:
    """Return the place behind a chain of sub-blocks, which is behind the end of the data if the chain is cut off."""
    while at < len(data) and data[at]:
        at += data[at] + 1
    return at + 1
