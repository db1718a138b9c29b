"""One sample of a packed file: an animation with its metadata."""

from collections.abc import Mapping
from dataclasses import dataclass

from rdtf_bench.data.reading.folders.captions import TEXT_COLUMNS

COLUMNS = (*TEXT_COLUMNS, "split", "id", "cluster", "keyframe_idx")
"""Metadata that is kept."""


@dataclass(frozen=True, kw_only=True)
class Sample:
    """The bytes of a file, the suffix that tells their kind, and the metadata of COLUMNS."""

    where: str  # the place, for messages
    name: str  # of the sample within its file
    data: bytes
    suffix: str
    record: Mapping[str, object]
