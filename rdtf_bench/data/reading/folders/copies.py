"""Find clips that are copies of each other: the same bytes, or nearly the same pictures.

Copies are not independent, so they form one cluster: intervals leave them out together, and splits keep them together.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from PIL import Image

from rdtf_bench.data.reading.source import Draw

SIDE = 16  # of the brightness differences that are compared in each of the frames
LOOKED_AT = 3  # frames: the first, and those after a third and two thirds of the clip
STEP = 2  # smallest difference of brightness that counts, of 255
APART = 8  # most bits, of 768, in which two near copies differ
FEWEST_BITS = 32  # a clip with fewer differences is nearly plain, and says too little to be told from others


def look(decoded: Iterable[Draw], num_frames: int) -> str:
    """Decode all frames of a clip and return its perceptual hash.

    The hash says where brightness grows from place to place along the rows of three of the frames.
    """
    wanted = [part * num_frames // LOOKED_AT for part in range(LOOKED_AT)]
    seen = {number: _growing(draw()) for number, draw in enumerate(decoded) if number in wanted}
    return np.packbits(np.concatenate([seen[number] for number in wanted])).tobytes().hex()


def _growing(frame: Image.Image) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    grey = np.asarray(frame.convert("L").resize((SIDE + 1, SIDE), Image.Resampling.BOX)).astype(np.int16)
    return (grey[:, 1:] > grey[:, :-1] + STEP).ravel()


def near(looks: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield pairs of near copies among clips by name, so that these connect all clips that are near copies.

    Two hashes that differ in at most APART bits agree in one of APART + 1 parts, so only clips that share a part are
    compared.
    """
    first: dict[str, str] = {}
    for name, look in looks.items():
        if look in first:
            yield first[look], name
        first.setdefault(look, name)
    names = list(first.values())
    bits = np.array([np.unpackbits(np.frombuffer(bytes.fromhex(look), np.uint8)) for look in first], np.uint8)
    for part in range(APART + 1 if names else 0):
        groups: dict[bytes, list[int]] = defaultdict(list)
        for place, key in enumerate(np.packbits(bits[:, part :: APART + 1], axis=1)):
            groups[key.tobytes()].append(place)
        for members in groups.values():
            for at, place in enumerate(members[:-1]):
                others = np.array(members[at + 1 :])
                for other in others[(bits[others] != bits[place]).sum(axis=1) <= APART]:
                    yield names[place], names[other]


def telling(look: str) -> bool:
    """Tell whether a hash says enough to find copies by it."""
    return int(look or "0", 16).bit_count() >= FEWEST_BITS


def same_bytes(hashes: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield pairs of clips of equal bytes, given the SHA-256 of each, so that these connect all equal ones."""
    first: dict[str, str] = {}
    for name, sha256 in hashes.items():
        if sha256 in first:
            yield first[sha256], name
        first.setdefault(sha256, name)
