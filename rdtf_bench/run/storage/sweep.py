"""Finds what no record needs that is published or recent, and removes it. Imports no torch."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rdtf_bench.core.errors import StoreError, listed
from rdtf_bench.core.store import Store
from rdtf_bench.run import record
from rdtf_bench.run.record import Record
from rdtf_bench.run.storage.damage import unreadable_records
from rdtf_bench.run.storage.entries import OF_TABLES, WORK, Entry, held, of_record, records

DAY_S = 86_400.0


@dataclass(frozen=True, kw_only=True)
class Waste:
    """A folder that can be removed."""

    kind: str
    path: Path
    num_bytes: int


def find(store: Store, *, results: Path, days: float) -> list[Waste]:
    """Return the entries of tables and the unfinished work that nothing needs.

    Needed is what a record was made from that is published in `results` or younger than `days`, and every folder in
    which a file changed within that time. Records, data and the results of other protocols are always needed.
    """
    needed = _needed(store, results, days)
    oldest_s = time.time() - days * DAY_S
    entries = [(entry.kind, store.path(entry.kind, entry.key)) for entry in _unneeded(store, needed)]
    work = [(f"{WORK} {path.parent.name}", path) for path in sorted((store.root / WORK).glob("*/*"))]
    return [
        Waste(kind=kind, path=path, num_bytes=num_bytes(path))
        for kind, path in (*entries, *work)
        if _changed_s(path) < oldest_s
    ]


def num_bytes(path: Path) -> int:
    """Return the bytes of all files below a path."""
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def remove(store: Store, found: Sequence[Waste]) -> None:
    """Remove what `find` found."""
    for waste in found:
        store.remove(str(waste.path.parent.relative_to(store.root)), waste.path.name)


def _unneeded(store: Store, needed: set[Entry]) -> Iterator[Entry]:
    return (entry for entry in held(store) if entry.kind in OF_TABLES and entry not in needed)


def _needed(store: Store, results: Path, days: float) -> set[Entry]:
    if faults := list(unreadable_records(store)):
        raise StoreError(
            f"{store.root}: what some records need is not known, so nothing can be removed:\n{listed(faults)}"
        )
    published = {path.stem: record.read(path) for path in sorted(results.glob("*/*.json"))}
    oldest = datetime.now(UTC) - timedelta(days=days)
    own = [made for made in records(store) if made.cell_id in published or _created(made) > oldest]
    return {entry for made in (*published.values(), *own) for entry in of_record(made, store)}


def _created(made: Record) -> datetime:
    return datetime.fromisoformat(made.created)


def _changed_s(path: Path) -> float:
    """Return the time of the last change of a folder or a file in it."""
    return max(part.stat().st_mtime for part in (path, *path.rglob("*")))
