"""Finds entries of a store whose files are not what was written, and removes those that a table would read.

What depends on a damaged entry is removed with it, so that the schedule of the table makes all of it again.
"""

import json
from collections.abc import Iterable, Iterator, Sequence

from safetensors import SafetensorError, safe_open

from rdtf_bench.core.errors import StoreError
from rdtf_bench.core.store import Store
from rdtf_bench.run import record
from rdtf_bench.run.inputs.training_set import LIST
from rdtf_bench.run.storage.entries import OBSERVED, WORK, Entry
from rdtf_bench.spec.identities import QualityScore
from rdtf_bench.spec.plan import Cell


def faults(store: Store, entry: Entry) -> list[str]:
    """Return what is wrong with an entry: by its hashes, or for an entry without hashes by opening its files."""
    if store.hashes(entry.kind, entry.key) is not None:
        return store.faults(entry.kind, entry.key)
    return list(_unreadable(store, entry))


def unreadable_records(store: Store) -> Iterator[str]:
    """Yield each record of a store that cannot be read, with the fault."""
    for path in sorted(record.folder_in(store.root).glob("*.json")):
        try:
            record.read(path)
        except StoreError as fault:
            yield str(fault)


def mend(store: Store, cells: Sequence[Cell], clips: Iterable[str], training: str) -> list[str]:
    """Remove the damaged entries that these cells read and what was made of them; return what was wrong.

    `clips` are the keys of the real clips, `training` is the key of the list of training clips. Damaged shards are
    found when training reads them.
    """
    whole: set[Entry] = set()  # rows share weights and real clips, whose files are hashed once
    found = [fault for entry in [Entry("clips", key) for key in clips] for fault in _removed(store, entry, whole)]
    if found:
        for cell in cells:
            _remove_scores(store, cell)
            for key in _observation_keys(cell):
                store.remove(f"{WORK}/{OBSERVED}", key)  # also of the real clips
    found += _removed(store, Entry(LIST, training), whole)
    for cell in cells:
        found += _mended(store, cell, whole)
    return found


def _mended(store: Store, cell: Cell, whole: set[Entry]) -> list[str]:
    """Remove the damaged entries of one row. Without its weights or its clips, its clips are made and scored again."""
    weights = [Entry("fit", cell.fit_key)] if cell.fit is not None else []
    clips = Entry("samples", cell.sample_key)
    made = [fault for entry in (*weights, clips) for fault in _removed(store, entry, whole)]
    observed = [Entry("observations", key) for key in _observation_keys(cell)]
    scores = [Entry(kind, identity.key) for kind in ("scores", "parts") for identity in cell.scores.values()]
    scored = [fault for entry in (*observed, *scores) for fault in _removed(store, entry, whole)]
    if made:
        remove_clips(store, cell)
    return made + scored


def remove_clips(store: Store, cell: Cell) -> None:
    """Remove the clips of a row, also unfinished ones, and what metrics saw in them."""
    store.remove("samples", cell.sample_key)
    store.remove(f"{WORK}/samples", cell.sample_key)
    _remove_scores(store, cell)


def _observation_keys(cell: Cell) -> Iterator[str]:
    for identity in cell.scores.values():
        if isinstance(identity, QualityScore):
            yield identity.observation_key(identity.fake)
            yield identity.observation_key(identity.real)


def _removed(store: Store, entry: Entry, whole: set[Entry]) -> list[str]:
    """Remove an entry if it is damaged, and return what was wrong. `whole` are those without a fault, so far."""
    if entry in whole or not store.has(entry.kind, entry.key):
        return []
    found = faults(store, entry)
    if found:
        store.remove(entry.kind, entry.key)
    else:
        whole.add(entry)
    return found


def _remove_scores(store: Store, cell: Cell) -> None:
    """Remove what metrics saw in the clips of a row. Its size and its time do not depend on them."""
    for identity in cell.scores.values():
        if isinstance(identity, QualityScore):
            key = identity.observation_key(identity.fake)
            store.remove("observations", key)
            store.remove(f"{WORK}/{OBSERVED}", key)
            store.remove("scores", identity.key)
            store.remove("parts", identity.key)


def _unreadable(store: Store, entry: Entry) -> Iterator[str]:
    """Yield the files of an entry that cannot be opened: JSON, and safetensors that are shorter than they should be."""
    for path in sorted(store.path(entry.kind, entry.key).rglob("*")):
        try:
            if path.suffix == ".json":
                json.loads(path.read_text(encoding="utf-8"))
            elif path.suffix == ".safetensors":
                with safe_open(path, framework="np"):
                    pass
        except (ValueError, SafetensorError) as fault:
            yield f"{path} cannot be read: {fault}"
