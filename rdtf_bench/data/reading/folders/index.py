"""Keeps what was found in the files of a data folder, so that a file is read again only when it has changed.

The index is one Parquet file for each folder. It is saved while it grows, so that an interrupted first check of a large
folder goes on where it was. For files that did not change, it costs one `stat` call each.
"""

import hashlib
import os
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from rdtf_bench.core.errors import printable
from rdtf_bench.core.store import stamp_of, written_whole
from rdtf_bench.data.reading.folders.inspection import Facts, inspect

VERSION = 5  # raised when `inspect` returns something else
SAVED_EVERY_S = 60.0
Progress = Callable[[int, int], None]  # number of files or tables done, number of all

Entries = dict[str, tuple[str, Facts]]
"""Index of a folder: the size, modification time and facts of each file by its path below the root."""


def inspect_all(files: Mapping[str, Path], cache: Path | None, report: Progress | None) -> dict[str, Facts]:
    """Return what each file holds. `cache` is the index of the folder."""
    known = _read(cache)
    entries: Entries = {}
    num_new, saved_s = 0, time.monotonic()
    try:
        for done, (at, path) in enumerate(files.items(), start=1):
            found, entry = stamp(path), known.get(at)
            if entry is None or entry[0] != found:
                entry = (found, inspect(path, with_look=True))
                num_new += 1
            entries[at] = entry
            if report:
                report(done, len(files))
            if num_new and time.monotonic() - saved_s > SAVED_EVERY_S:
                _write(cache, known | entries)
                num_new, saved_s = 0, time.monotonic()
    except BaseException:
        if num_new:
            _write(cache, known | entries)
        raise
    if num_new or entries.keys() != known.keys():
        _write(cache, entries)
    return {at: facts for at, (_, facts) in entries.items()}


def stamp(path: Path) -> str:
    """Return the stamp of a file, or "absent" for a dangling link, which is reported when the file is read."""
    try:
        return stamp_of(path)
    except OSError:
        return "absent"


def index_file(cache: Path | None, name: str, root: Path) -> Path | None:
    """Return the index of a data folder in the folder `cache`; None without a cache."""
    key = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:16]
    return cache / f"{name}-{key}.parquet" if cache else None


def _read(cache: Path | None) -> Entries:
    """Read the results of earlier calls; unexpected content counts as none, so that all files are inspected."""
    import pyarrow.parquet as parquet
    from pyarrow import ArrowException

    if cache is None or not cache.is_file():
        return {}
    try:
        table = parquet.read_table(cache)
        if (table.schema.metadata or {}).get(b"version") != str(VERSION).encode():
            return {}
        columns = {name: table[name].to_pylist() for name in ("at", "stamp", *_FIELDS)}
    except (ArrowException, OSError, KeyError):
        return {}
    found = (Facts(**dict(zip(_FIELDS, row, strict=True))) for row in zip(*map(columns.get, _FIELDS), strict=True))
    return {at: (stamp, facts) for at, stamp, facts in zip(columns["at"], columns["stamp"], found, strict=True)}


def _write(cache: Path | None, entries: Entries) -> None:
    import pyarrow as pa
    import pyarrow.parquet as parquet

    if cache is None:
        return
    kinds = {str: pa.string(), int: pa.int64(), bool: pa.bool_()}
    facts = [found for _, found in entries.values()]
    columns: dict[str, Any] = {
        "at": pa.array(list(entries), pa.string()),
        "stamp": pa.array([stamp for stamp, _ in entries.values()], pa.string()),
    }
    for name, kind in _FIELDS.items():
        columns[name] = pa.array(_values(facts, name), kinds.get(kind, pa.string()))
    table = pa.table(columns).replace_schema_metadata({"version": str(VERSION)})
    with written_whole(cache) as making:
        parquet.write_table(table, making, compression="zstd")


def _values(facts: Iterable[Facts], name: str) -> list[Any]:
    if name == "why_broken":  # libraries word it, and Arrow refuses half of a surrogate pair
        return [None if found.why_broken is None else printable(found.why_broken) for found in facts]
    return [getattr(found, name) for found in facts]


_FIELDS: Mapping[str, Any] = {field.name: field.type for field in fields(Facts)}
