"""Check that MP4, MOV and AVI files are as long as they say. FFmpeg plays what is left of one that was cut off."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

# boxes at the top level of MP4 and MOV; another name is taken for bytes that were appended to the file
BOXES = (b"ftyp", b"moov", b"mdat", b"moof", b"free", b"skip", b"wide", b"uuid", b"sidx", b"mfra", b"styp", b"meta")


def require_whole(path: Path) -> None:
    """Raise ValueError if an MP4, MOV or AVI file ends before the end of its last part."""
    with path.open("rb") as file:
        start = file.read(8)
        file.seek(0)
        if start[4:8] in BOXES:
            parts = _boxes
        elif start[:4] == b"RIFF":
            parts = _riff
        else:
            return
        announced, length = _end(file, parts), os.fstat(file.fileno()).st_size
    if announced > length:
        raise ValueError(f"the file is cut off: {length:,} of {announced:,} bytes are there")


def _end(file: BinaryIO, part: Callable[[BinaryIO, int], int | None]) -> int:
    """Return where the last part at the top level ends; `part` returns the end of the one that starts at a byte."""
    length = os.fstat(file.fileno()).st_size
    at = 0
    while at < length:
        file.seek(at)
        end = part(file, at)
        if end is None or end <= at:
            break
        at = end
    return at


def _boxes(file: BinaryIO, at: int) -> int | None:
    header = file.read(16)
    if len(header) < 8 or header[4:8] not in BOXES:
        return None
    size = int.from_bytes(header[:4], "big")
    if size == 1:  # the true size follows in 64 bits
        size = int.from_bytes(header[8:], "big")
    return at + size if size else None  # 0: to the end of the file


def _riff(file: BinaryIO, at: int) -> int | None:
    head = file.read(8)
    if head[:4] != b"RIFF" or len(head) < 8:
        return None
    size = int.from_bytes(head[4:], "little")
    return at + 8 + size + size % 2
