"""Know the frames of many videos without decoding them: their hashes and time stamps, kept in one Parquet file.

Only cut-off files, and those whose structure is damaged, are found to be broken. Decoding every frame, as is done for
stickers, would take days for hundreds of hours of video; damaged frames are found when a clip with them is decoded.
"""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rdtf_bench.core.store import sha256_of, written_whole
from rdtf_bench.data.reading.folders.index import Progress, stamp
from rdtf_bench.data.reading.media import Unreadable, reading
from rdtf_bench.data.reading.videos.video import Video

VERSION = 1  # raised when `_inspect` returns something else
SAVED_EVERY = 50  # new videos, so that an interrupted first reading of a large data set goes on where it was

Times = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class VideoFacts:
    """What a video holds."""

    stamp: str  # size and modification time of the file
    sha256: str
    times_us: Times  # when each frame is shown
    why_broken: str | None = None


def inspect_videos(
    files: Mapping[str, Path], *, cache: Path | None, on_progress: Progress | None = None
) -> dict[str, VideoFacts]:
    """Return the facts of each file by its key. Files that are in `cache` with the same stamp are not read again."""
    known = _read(cache)
    facts: dict[str, VideoFacts] = {}
    num_new = 0
    for done, (key, path) in enumerate(files.items(), start=1):
        found, kept = stamp(path), known.get(key)
        if kept is not None and kept.stamp == found:
            facts[key] = kept
        else:
            facts[key] = _inspect(path, found)
            num_new += 1
            if cache and num_new % SAVED_EVERY == 0:
                _write(cache, known | facts)
        if on_progress:
            on_progress(done, len(files))
    if cache and (num_new or set(known) - set(facts)):
        _write(cache, facts)
    return facts


def _inspect(path: Path, found: str) -> VideoFacts:
    nothing = np.zeros(0, np.int64)
    try:
        sha256 = sha256_of(path)
    except OSError as fault:
        return VideoFacts(stamp=found, sha256="", times_us=nothing, why_broken=f"cannot be read: {fault.strerror}")
    try:
        with reading(path) as source:
            if not isinstance(source, Video):
                raise ValueError("is no video")
            times = source.times_us()
    except Unreadable as fault:
        return VideoFacts(stamp=found, sha256=sha256, times_us=nothing, why_broken=fault.reason)
    return VideoFacts(stamp=found, sha256=sha256, times_us=np.asarray(times, np.int64))


def _read(cache: Path | None) -> dict[str, VideoFacts]:
    """Read the results of earlier calls; a file that cannot be read counts as none."""
    import pyarrow.parquet as parquet
    from pyarrow import ArrowException

    if cache is None or not cache.is_file():
        return {}
    try:
        table = parquet.read_table(cache)
        if (table.schema.metadata or {}).get(b"version") != str(VERSION).encode():
            return {}
        return dict(_rows(table))
    except (ArrowException, OSError, KeyError):
        return {}


def _rows(table: Any) -> Iterator[tuple[str, VideoFacts]]:
    steps = table["steps_us"].combine_chunks()
    texts = {name: table[name].to_pylist() for name in ("key", "stamp", "sha256", "why_broken")}
    for row, key in enumerate(texts["key"]):
        yield (
            key,
            VideoFacts(
                stamp=texts["stamp"][row],
                sha256=texts["sha256"][row],
                times_us=np.cumsum(steps[row].values.to_numpy(), dtype=np.int64),
                why_broken=texts["why_broken"][row],
            ),
        )


def _write(cache: Path, facts: Mapping[str, VideoFacts]) -> None:
    import pyarrow
    import pyarrow.parquet as parquet

    steps = [np.diff(found.times_us, prepend=0) for found in facts.values()]  # nearly constant, so they compress well
    columns = {
        "key": pyarrow.array([os.fspath(key) for key in facts], pyarrow.string()),
        "stamp": pyarrow.array([found.stamp for found in facts.values()], pyarrow.string()),
        "sha256": pyarrow.array([found.sha256 for found in facts.values()], pyarrow.string()),
        "why_broken": pyarrow.array([found.why_broken for found in facts.values()], pyarrow.string()),
        "steps_us": pyarrow.array(steps, pyarrow.list_(pyarrow.int64())),
    }
    table = pyarrow.table(columns).replace_schema_metadata({"version": str(VERSION)})
    with written_whole(cache) as making:
        parquet.write_table(table, making, compression="zstd")
