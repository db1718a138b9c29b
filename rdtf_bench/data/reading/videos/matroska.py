"""Count the frames that a Matroska or WebM file holds, by its own structure.

FFmpeg jumps over damaged parts of a file and plays the rest, so the frames that it returns may be fewer.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

EBML, SEGMENT, CLUSTER, TRACKS = 0x1A45DFA3, 0x18538067, 0x1F43B675, 0x1654AE6B
TRACK, TRACK_NUMBER, BLOCK_GROUP, BLOCK, SIMPLE_BLOCK = 0xAE, 0xD7, 0xA0, 0xA1, 0xA3
ANYWHERE = (0xEC, 0xBF)  # void, check sum
IN_SEGMENT = (0x114D9B74, 0x1549A966, TRACKS, CLUSTER, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367, *ANYWHERE)
# time, silent tracks, position, size of the previous cluster, encrypted block
IN_CLUSTER = (0xE7, 0x5854, 0xA7, 0xAB, BLOCK_GROUP, SIMPLE_BLOCK, 0xAF, *ANYWHERE)
LACED = 0x06  # flags of a block that holds several frames


@dataclass(frozen=True)
class _Element:
    kind: int
    start: int  # of the content
    end: int | None  # None for a size that was not known when the file was written, as in live recordings


def is_matroska(start: bytes) -> bool:
    """Tell whether a file that begins with these bytes is Matroska or WebM."""
    return start[:4] == EBML.to_bytes(4, "big")


def frame_counts(path: Path) -> tuple[int, ...]:
    """Return the number of frames of each track in the order of the file.

    Raises ValueError if the parts of the file do not fit together.
    """
    counts: dict[int, int] = {}
    with path.open("rb") as file:
        length = os.fstat(file.fileno()).st_size
        for outer in _inside(file, 0, length, (EBML, SEGMENT)):
            if outer.kind == SEGMENT:
                _count(file, outer.start, outer.end or length, counts)
                return tuple(counts.values())
    raise ValueError("the file is damaged: it holds no segment")


def _count(file: BinaryIO, at: int, end: int, counts: dict[int, int]) -> None:
    """Add the frames of a segment to the counts, whose keys are the numbers of the tracks."""
    for part in _inside(file, at, end, IN_SEGMENT):
        if part.kind == TRACKS:
            for track in _inside(file, part.start, part.end or end, (TRACK, *ANYWHERE)):
                if track.kind == TRACK:
                    counts.update(dict.fromkeys(_numbers(file, track, end), 0))
        elif part.kind == CLUSTER:
            for block in _inside(file, part.start, part.end or end, IN_CLUSTER):
                _count_block(file, block, end, counts)


def _numbers(file: BinaryIO, track: _Element, end: int) -> Iterator[int]:
    for part in _inside(file, track.start, track.end or end, None):
        if part.kind == TRACK_NUMBER and part.end is not None:
            yield int.from_bytes(_read(file, part.start, part.end - part.start), "big")


def _count_block(file: BinaryIO, block: _Element, end: int, counts: dict[int, int]) -> None:
    if block.kind == BLOCK_GROUP:
        for part in _inside(file, block.start, block.end or end, None):
            if part.kind == BLOCK:
                _count_block(file, part, end, counts)
    elif block.kind in (BLOCK, SIMPLE_BLOCK):
        number, at = _number(file, block.start)
        _, _, flags, laced = _read(file, at, 4).ljust(4, b"\x00")
        if number not in counts:
            raise ValueError(f"the file is damaged: the block at byte {block.start} belongs to no track")
        counts[number] += 1 + (laced if flags & LACED else 0)


def _inside(file: BinaryIO, at: int, end: int, kinds: tuple[int, ...] | None) -> Iterator[_Element]:
    """Yield the elements from one byte to another, of which all must be of these kinds.

    One whose size is not known ends where an element of another kind begins.
    """
    while at < end:
        element = _element(file, at)
        if kinds is not None and element.kind not in kinds:
            if element.kind in IN_SEGMENT:  # behind a cluster of unknown size
                return
            raise ValueError(f"the file is damaged: at byte {at} is no part that belongs there")
        if element.end is not None and element.end > end:
            length = os.fstat(file.fileno()).st_size
            if element.end > length:
                raise ValueError(f"the file is cut off: {length:,} of {element.end:,} bytes are there")
            raise ValueError(f"the file is damaged: the part at byte {at} ends behind the one that holds it")
        yield element
        at = _end(file, element, end) if element.end is None else element.end


def _end(file: BinaryIO, element: _Element, end: int) -> int:
    """Return where an element of unknown size ends: at the next one of the kind that is beside it."""
    if element.kind != CLUSTER:
        return end
    at = element.start
    for part in _inside(file, element.start, end, IN_CLUSTER):
        at = part.end or end
    return at


def _element(file: BinaryIO, at: int) -> _Element:
    head = _read(file, at, 1)
    length = 9 - head[0].bit_length() if head and head[0] else 9
    if length > 4:
        raise ValueError(f"the file is damaged: at byte {at} is no part that belongs there")
    size, start = _number(file, at + length)
    kind = int.from_bytes(_read(file, at, length), "big")
    unknown = size == (1 << 7 * (start - at - length)) - 1
    return _Element(kind, start, None if unknown else start + size)


def _number(file: BinaryIO, at: int) -> tuple[int, int]:
    """Return the number of variable length at a byte, and the byte behind it."""
    head = _read(file, at, 8)
    if not head or not head[0]:
        raise ValueError(f"the file is cut off or damaged: at byte {at} is no number")
    length = 9 - head[0].bit_length()  # the number of leading zeros tells
    return int.from_bytes(head[:length], "big") & ((1 << 7 * length) - 1), at + length


def _read(file: BinaryIO, at: int, length: int) -> bytes:
    file.seek(at)
    return file.read(length)
