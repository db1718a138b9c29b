"""Check that MP4, MOV and AVI files are as long as they say. FFmpeg plays what is left of one that was cut off."""

import os
import struct
from pathlib import Path
from typing import BinaryIO

# boxes at the top level of MP4 and MOV
BOXES = (b"ftyp", b"moov", b"mdat", b"free", b"skip", b"wide", b"uuid", b"meta", b"pdin", b"udta")
BOXES_OF_FRAGMENTS = (b"moof", b"mfra", b"sidx", b"ssix", b"styp", b"emsg", b"prft")


def require_whole(path: Path) -> None:
    """Raise ValueError if an MP4, MOV or AVI file ends before the end of its last part."""
    with path.open("rb") as file:
        start, length = file.read(8), os.fstat(file.fileno()).st_size
        if start[4:8] in (*BOXES, *BOXES_OF_FRAGMENTS):
            announced = _end_of_boxes(file, length)
        elif start[:4] == b"RIFF":
            announced = _end_of_riff(file, length)
        else:
            return
    if announced > length:
        raise ValueError(f"the file is cut off: {length:,} of {announced:,} bytes are there")


def _end_of_boxes(file: BinaryIO, length: int) -> int:
    """Return where the last box of an MP4 or MOV file ends, or the last fragment that its index names.

    What follows the boxes of a file without fragments was appended to it. Between fragments it is damage, behind which
    FFmpeg reads nothing.
    """
    at, indexed, is_fragmented = 0, 0, False
    while at < length:
        header = _read(file, at, 16)
        kind, size = header[4:8], int.from_bytes(header[:4], "big")
        if size == 1:  # the true size follows in 64 bits
            size = int.from_bytes(header[8:], "big")
        if is_fragmented and len(header) < 8:
            return at + 8
        if kind not in (*BOXES, *BOXES_OF_FRAGMENTS):
            if is_fragmented:
                raise ValueError(f"the file is damaged: at byte {at} is no part that belongs there")
            break
        if size == 0:  # to the end of the file
            break
        is_fragmented = is_fragmented or kind == b"moof"
        if kind == b"sidx":
            indexed = max(indexed, at + size + _fragments(_read(file, at, size)))
        at += size
    return max(at, indexed)


def _fragments(index: bytes) -> int:
    """Return how many bytes behind an index of fragments its last fragment ends."""
    if len(index) < 32:
        return 0
    version = index[8]
    (first,), at = (struct.unpack_from(">Q", index, 28), 36) if version else (struct.unpack_from(">I", index, 24), 28)
    sizes = [int.from_bytes(index[start : start + 4], "big") & 0x7FFFFFFF for start in range(at + 4, len(index), 12)]
    return int(first) + sum(sizes)


def _end_of_riff(file: BinaryIO, length: int) -> int:
    at = 0
    while at < length:
        head = _read(file, at, 8)
        if head[:4] != b"RIFF" or len(head) < 8:
            break
        size = int.from_bytes(head[4:], "little")
        at += 8 + size + size % 2
    return at


def _read(file: BinaryIO, at: int, length: int) -> bytes:
    file.seek(at)
    return file.read(length)
