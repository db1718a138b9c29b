"""Check that a video file is as long as its own structure says. FFmpeg plays what is left of one that was cut off."""

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

# boxes at the top level of MP4 and MOV; another name is taken for bytes that were appended to the file
BOXES = (b"ftyp", b"moov", b"mdat", b"moof", b"free", b"skip", b"wide", b"uuid", b"sidx", b"mfra", b"styp", b"meta")
EBML, SEGMENT = 0x1A45DFA3, 0x18538067  # elements at the top level of Matroska and WebM


def require_whole(path: Path) -> None:
    """Raise ValueError if an MP4, MOV, Matroska, WebM or AVI file ends before the end of its last part."""
    with path.open("rb") as file:
        start = file.read(8)
        file.seek(0)
        if start[4:8] in BOXES:
            parts = _boxes
        elif start[:4] == struct.pack(">I", EBML):
            parts = _elements
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


def _elements(file: BinaryIO, at: int) -> int | None:
    head = file.read(12)
    if int.from_bytes(head[:4], "big") not in (EBML, SEGMENT) or len(head) < 5 or not head[4]:
        return None
    length = 9 - head[4].bit_length()  # of the size: the number of leading zeros tells
    value = int.from_bytes(head[4 : 4 + length], "big")
    size = value & ((1 << 7 * length) - 1)
    unknown = size == (1 << 7 * length) - 1  # a live recording
    return None if unknown else at + 4 + length + size


def _riff(file: BinaryIO, at: int) -> int | None:
    head = file.read(8)
    if head[:4] != b"RIFF" or len(head) < 8:
        return None
    size = int.from_bytes(head[4:], "little")
    return at + 8 + size + size % 2
