"""Check that a file is a complete animation, also for faults that Pillow ignores, such as a missing end."""

import hashlib
import io
import struct
import warnings
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, UnidentifiedImageError

SUFFIXES = (".gif", ".webp", ".png", ".apng")
MAX_PIXELS = 2**30  # of all frames of a file; a larger file is taken for a decompression bomb
# errors that Pillow raises for a broken file; a bad PNG chunk is a SyntaxError
UNREADABLE = (OSError, EOFError, SyntaxError, ValueError, struct.error, Image.DecompressionBombError)
DOUBTFUL = (
    UserWarning,
    Image.DecompressionBombWarning,
)  # faults of which Pillow only warns, such as an invalid animation in a PNG


@dataclass(frozen=True, kw_only=True)
class Facts:
    """The hash and the number of frames of one file: one for a still image, none for a broken file."""

    sha256: str
    num_frames: int
    why_broken: str | None = None


def inspect(path: Path) -> Facts:
    """Read a whole file and return its hash, its number of frames, and its fault if it is broken."""
    try:
        data = path.read_bytes()
    except OSError as fault:
        return Facts(sha256="", num_frames=0, why_broken=f"cannot be read: {fault.strerror}")
    sha256 = hashlib.sha256(data).hexdigest()
    try:
        with warnings.catch_warnings():
            for doubtful in DOUBTFUL:
                warnings.simplefilter("error", doubtful)
            num_frames = _count_frames(data)
    except (*UNREADABLE, *DOUBTFUL) as fault:
        return Facts(sha256=sha256, num_frames=0, why_broken=_reason(data, fault))
    return Facts(sha256=sha256, num_frames=num_frames)


def first_frame(image: Image.Image) -> int:
    """Return the index of the first animated frame.

    An APNG may hold a still picture before it, for viewers without animation.
    """
    return 1 if image.info.get("default_image") else 0


def _reason(data: bytes, fault: Exception) -> str:
    if not data:
        return "is empty"
    if isinstance(fault, UnidentifiedImageError):
        return "is not a GIF, WebP or PNG image"
    return f"cannot be decoded: {fault}"


def _count_frames(data: bytes) -> int:
    with Image.open(io.BytesIO(data), formats=("GIF", "WEBP", "PNG")) as image:
        match image.format:
            case "GIF":
                _require_gif_trailer(data)
            case "PNG":
                _require_png_end(data)
            case "WEBP":
                _require_riff_length(data)
        return _decode_all(image)


def _decode_all(image: Image.Image) -> int:
    start = first_frame(image)
    announced = getattr(image, "n_frames", 1)
    if image.width * image.height * announced > MAX_PIXELS:
        raise ValueError(f"{announced} frames of {image.width}x{image.height} are more than {MAX_PIXELS} pixels")
    # Of a WebP only the first frame is decoded, because the container gives the lengths of all: a minute less per
    # 2,000 files.
    last = 0 if image.format == "WEBP" else announced - 1
    for number in range(last + 1):
        image.seek(number)
        image.load()
    return announced - start


def _require_gif_trailer(data: bytes) -> None:
    """Walk the blocks to the trailer; Pillow accepts the end of the file in its place."""
    at = 13 + _colour_table_bytes(data[10])
    while at < len(data):
        kind = data[at]
        if kind == 0x3B:
            return
        if kind == 0x21:  # extension: label, sub-blocks
            at = _after_sub_blocks(data, at + 2)
        elif kind == 0x2C and at + 9 < len(data):  # image: descriptor, colour table, code size, sub-blocks
            at = _after_sub_blocks(data, at + 11 + _colour_table_bytes(data[at + 9]))
        else:  # stray bytes between blocks occur, and decoders skip them
            at += 1
    raise ValueError("the file is cut off: no GIF trailer")


def _colour_table_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _after_sub_blocks(data: bytes, at: int) -> int:
    while at < len(data) and data[at]:
        at += data[at] + 1
    return at + 1


def _require_png_end(data: bytes) -> None:
    at = 8
    while at + 12 <= len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        at += 12 + length
        if kind == b"IEND":
            return
    raise ValueError("the file is cut off: no IEND chunk")


def _require_riff_length(data: bytes) -> None:
    announced = 8 + struct.unpack("<I", data[4:8])[0]
    if len(data) < announced:
        raise ValueError(f"the file is cut off: {len(data)} of {announced} bytes")
    at = 12
    while at + 8 <= announced:
        length = struct.unpack("<I", data[at + 4 : at + 8])[0]
        at += 8 + length + length % 2  # chunks are padded to even lengths
    if at > announced + 1:
        raise ValueError("the file is cut off: a chunk is longer than the file")
