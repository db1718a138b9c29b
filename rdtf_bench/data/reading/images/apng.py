"""Read animated PNG and compose its frames as browsers do.

Pillow decodes the frames. It does not compose them: it interpolates all four channels where a frame is blended over
another, and the standard's "over" is Porter and Duff's.
"""

import io
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from PIL import Image

from rdtf_bench.data.reading.images import stills
from rdtf_bench.data.reading.source import Draw, Source, require_bearable, shown_us

SIGNATURE = b"\x89PNG\r\n\x1a\n"
TO_BACKGROUND, TO_PREVIOUS = 1, 2  # dispose_op
OVER = 1  # blend_op
NOTHING = (0, 0, 0, 0)
PALETTE = (b"PLTE", b"tRNS")  # chunks without which a frame cannot be decoded
Chunk = tuple[bytes, bytes]  # type, content


@dataclass(frozen=True, kw_only=True)
class _Control:
    """A frame control chunk."""

    size: tuple[int, int]
    left: int
    top: int
    delay_us: int
    dispose: int
    blend: int


class Apng(Source):
    """A PNG file in memory, animated or not. Raises ValueError or struct.error if its chunks are damaged."""

    def __init__(self, data: bytes) -> None:
        chunks = _chunks(data)
        kind, self._header = chunks[0] if chunks else (b"", b"")
        if kind != b"IHDR" or len(self._header) != 13:
            raise ValueError("does not begin with an IHDR chunk")
        self._stored_size: tuple[int, int] = struct.unpack_from(">II", self._header)
        self._palette = [chunk for chunk in chunks if chunk[0] in PALETTE]
        self._exif = Image.Exif()
        self._exif.load(next((content for kind, content in chunks if kind == b"eXIf"), b""))
        self._frames = tuple(_animation(chunks, self._stored_size)) or (_still(chunks, self._stored_size),)
        require_bearable(self._stored_size, len(self._frames))
        self.size = stills.upright(Image.new("1", self._stored_size), self._exif).size
        self.durations_us = tuple(shown_us(control.delay_us) for control, _ in self._frames)

    def decoded(self) -> Iterator[Draw]:
        canvas = Image.new("RGBA", self._stored_size, NOTHING)
        for control, data in self._frames:
            drawn = self._decode(control.size, data)
            place = (control.left, control.top)
            box = (*place, control.left + control.size[0], control.top + control.size[1])
            before = canvas.crop(box) if control.dispose == TO_PREVIOUS else None
            if control.blend == OVER:
                canvas.alpha_composite(drawn, place)
            else:
                canvas.paste(drawn, place)
            yield lambda: stills.upright(stills.on_white(canvas), self._exif)
            if before is not None:
                canvas.paste(before, box)
            elif control.dispose == TO_BACKGROUND:
                canvas.paste(NOTHING, box)

    def _decode(self, size: tuple[int, int], data: bytes) -> Image.Image:
        """Decode the pixels of one frame as a PNG of its own."""
        header = struct.pack(">II", *size) + self._header[8:]
        chunks = [(b"IHDR", header), *self._palette, (b"IDAT", data), (b"IEND", b"")]
        with Image.open(io.BytesIO(SIGNATURE + b"".join(map(_written, chunks))), formats=("PNG",)) as image:
            return stills.rgba(image)


def _chunks(data: bytes) -> list[Chunk]:
    """Split a file into its chunks up to IEND and check their sums."""
    found: list[Chunk] = []
    at = len(SIGNATURE)
    while at + 12 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 8 + length
        if end + 4 > len(data):
            break
        if struct.unpack_from(">I", data, end)[0] != zlib.crc32(data[at + 4 : end]):
            raise ValueError(f"the chunk {kind!r} at byte {at} is damaged: its check sum differs")
        if kind == b"IEND":
            return found
        found.append((kind, data[at + 8 : end]))
        at = end + 4
    raise ValueError("the file is cut off: no IEND chunk")


def _written(chunk: Chunk) -> bytes:
    kind, content = chunk
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _still(chunks: Sequence[Chunk], size: tuple[int, int]) -> tuple[_Control, bytes]:
    control = _Control(size=size, left=0, top=0, delay_us=0, dispose=0, blend=0)
    return control, b"".join(content for kind, content in chunks if kind == b"IDAT")


def _animation(chunks: Sequence[Chunk], size: tuple[int, int]) -> Iterator[tuple[_Control, bytes]]:
    """Yield the control and the compressed pixels of each frame; nothing for a PNG that is not animated.

    A picture before the first control chunk is for viewers without animation and no frame.
    """
    announced = next((struct.unpack_from(">I", content)[0] for kind, content in chunks if kind == b"acTL"), 0)
    if not announced:
        return
    frames: list[tuple[_Control, list[bytes]]] = []
    numbers = []
    for kind, content in chunks:
        if kind in (b"fcTL", b"fdAT"):
            numbers.append(struct.unpack_from(">I", content)[0])
        if kind == b"fcTL":
            frames.append((_control(content, size), []))
        elif kind == b"fdAT" and frames:
            frames[-1][1].append(content[4:])
        elif kind == b"IDAT" and frames:
            frames[-1][1].append(content)
    if numbers != list(range(len(numbers))):
        raise ValueError("the numbers of its animation chunks are not consecutive")
    if len(frames) != announced:
        raise ValueError(f"the file is damaged: {len(frames)} of {announced} frames are there")
    for control, parts in frames:
        yield control, b"".join(parts)


def _control(content: bytes, size: tuple[int, int]) -> _Control:
    width, height, left, top, delay, per_second, dispose, blend = struct.unpack_from(">4IHHBB", content, 4)
    if not (width and height) or left + width > size[0] or top + height > size[1]:
        raise ValueError(f"a frame of {width}x{height} at {left}, {top} lies outside the picture of {size}")
    # 0 stands for 100 in the standard
    delay_us = delay * 1_000_000 // (per_second or 100)
    return _Control(size=(width, height), left=left, top=top, delay_us=delay_us, dispose=dispose, blend=blend)
