"""Read WebP, whose frames libwebp composes as browsers do, and find where a file is cut off."""

import io
import struct
from collections.abc import Iterator
from functools import partial

from PIL import Image

from rdtf_bench.data.reading.images import stills
from rdtf_bench.data.reading.source import Draw, Source, require_bearable, shown_us

ALPHA = 0x10  # flag of the VP8X chunk
KINDS = (b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP", b"EXIF", b"XMP ")


class WebP(Source):
    """A WebP file in memory, animated or not. Raises ValueError or struct.error if its chunks are cut off."""

    def __init__(self, data: bytes) -> None:
        self._data = _with_alpha_flag(data)
        delays_ms = [int.from_bytes(content[12:15], "little") for kind, content in _chunks(data) if kind == b"ANMF"]
        self.durations_us = tuple(shown_us(1000 * delay) for delay in delays_ms or [0])
        with self._open() as image:
            self.size = image.size
        require_bearable(self.size, len(self.durations_us))

    def decoded(self) -> Iterator[Draw]:
        with self._open() as image:
            for number in range(len(self.durations_us)):
                image.seek(number)
                image.load()
                yield partial(stills.on_white, image)

    def _open(self) -> Image.Image:
        return Image.open(io.BytesIO(self._data), formats=("WEBP",))


def _with_alpha_flag(data: bytes) -> bytes:
    """Set the flag of the VP8X chunk that the file has alpha.

    Without it, Pillow drops the alpha channel and shows as black what no frame covers, which browsers show as white.
    """
    return data[:20] + bytes([data[20] | ALPHA]) + data[21:] if data[12:16] == b"VP8X" else data


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    announced = 8 + struct.unpack_from("<I", data, 4)[0]
    if len(data) < announced:
        raise ValueError(f"the file is cut off: {len(data)} of {announced} bytes")
    at = 12
    while at + 8 <= announced:
        kind, length = struct.unpack_from("<4sI", data, at)
        if kind not in KINDS:  # libwebp would skip it, also where it was a frame
            raise ValueError(f"the file is damaged: at byte {at} is no chunk of WebP")
        yield kind, data[at + 8 : at + 8 + length]
        at += 8 + length + length % 2  # chunks are padded to even lengths
    if at > announced + 1:
        raise ValueError("the file is cut off: a chunk is longer than the file")
