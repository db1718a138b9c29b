"""Open an animated image or a video by its content."""

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from rdtf_bench.core.errors import DataError
from rdtf_bench.data.reading.images import apng, gif
from rdtf_bench.data.reading.images.apng import Apng
from rdtf_bench.data.reading.images.gif import Gif
from rdtf_bench.data.reading.images.webp import WebP
from rdtf_bench.data.reading.source import Source
from rdtf_bench.data.reading.suffixes import VIDEO_SUFFIXES
from rdtf_bench.data.reading.videos.video import Video

VERSION = 2
"""Raised when other pixels are read from a file, which then is another dataset. 1 composed as Pillow does."""

# errors that Pillow and the readers raise for a broken file; a bad PNG chunk is a SyntaxError
UNREADABLE = (
    OSError,
    EOFError,
    SyntaxError,
    ValueError,
    IndexError,
    struct.error,
    Image.DecompressionBombError,
    Image.DecompressionBombWarning,
)


class Unreadable(DataError):
    """A file that cannot be read. `reason` is the message without the path."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.reason = reason


class NoAnimation(Unreadable):
    """A file that is of no format with several frames. It may be another image, whatever its suffix says."""


@contextmanager
def reading(path: Path) -> Iterator[Source]:
    """Open a file; raise Unreadable for every fault that is found in it until the context ends."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            yield _open(path)
    except UNREADABLE as fault:
        raise Unreadable(path, reason(fault)) from fault


def _open(path: Path) -> Source:
    """Choose the reader by the content of the file, and for videos by its suffix."""
    with path.open("rb") as file:
        start = file.read(12)
    if not start:
        raise ValueError("is empty")
    if start[:6] in gif.SIGNATURES:
        return Gif(path.read_bytes())
    if start[:8] == apng.SIGNATURE:
        return Apng(path.read_bytes())
    if start[:4] == b"RIFF" and start[8:] == b"WEBP":
        return WebP(path.read_bytes())
    if path.suffix.lower() in VIDEO_SUFFIXES:
        return Video(path)
    raise NoAnimation(path, "is not a GIF, WebP or PNG image")


def reason(fault: Exception) -> str:
    """Return why a file cannot be read, by one of the errors in UNREADABLE."""
    if isinstance(fault, struct.error | IndexError):
        return f"the file is cut off: {fault}"
    told = fault.strerror if isinstance(fault, OSError) and fault.strerror else str(fault)
    if isinstance(fault, FileNotFoundError | PermissionError | IsADirectoryError):
        return f"cannot be read: {told}"
    return told if told.startswith(("is ", "its ", "holds ", "the ")) else f"cannot be decoded: {told}"
