"""The entries of a store, and those that a cell or a record needs. Imports no torch."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rdtf_bench.core.errors import StoreError
from rdtf_bench.core.store import Store, key_of
from rdtf_bench.run import record
from rdtf_bench.run.inputs.training_set import LIST, SHARD, listed_clips, training_set
from rdtf_bench.run.record import Record
from rdtf_bench.spec import identities
from rdtf_bench.spec.identities import QualityScore, TrainingSetIdentity
from rdtf_bench.spec.schema import from_plain

OF_TABLES = ("fit", "samples", "observations", "scores", "parts", "clips", LIST, SHARD)
"""Kinds of entries that tables make and can make again."""
OTHERS = ("costs", "curves", "agreements", "figures", "arenas")
"""Kinds of entries that are results of other protocols."""
WORK = "unfinished"
"""Folder of what is being made, by kind and key."""
OBSERVED = "observed"
"""Kind of unfinished work: observations of some of the clips of a row. Together they become `observations`."""


@dataclass(frozen=True, order=True)
class Entry:
    """One entry of a store."""

    kind: str
    key: str


def held(store: Store) -> list[Entry]:
    """Return all entries of a store, in the order of their kinds."""
    return [
        Entry(kind, path.name)
        for kind in (*OF_TABLES, *OTHERS)
        for path in sorted((store.root / kind).glob("*"))
        if path.is_dir()
    ]


def require_store(root: Path) -> Store:
    """Return the store of this folder; StoreError where there is none."""
    if not root.is_dir() or not any((root / kind).is_dir() for kind in ("records", *OF_TABLES, *OTHERS)):
        raise StoreError(f"{root}: there is no store. Name one: --store DIR; or make one: rdtf-bench run table1")
    return Store(root.resolve())


def records(store: Store) -> list[Record]:
    """Return the records of a store, without those that cannot be read, which `store verify` names."""
    found = []
    for path in sorted(record.folder_in(store.root).glob("*.json")):
        try:
            found.append(record.read(path))
        except StoreError:
            continue
    return found


def of_record(made: Record, store: Store) -> set[Entry]:
    """Return the entries that a record was made from."""
    sample = made.config["sample"]
    found = {Entry("samples", made.cell_id), *_real_clips(sample)}
    if made.config["fit"] is not None:
        found |= {Entry("fit", sample["fit"]), *_training(made.config["fit"]["data"], store)}
    for raw in made.config["scores"].values():
        key = key_of(raw)
        found |= {Entry("scores", key), Entry("parts", key), *_observations(raw)}
    return found


def _real_clips(sample: Mapping[str, Any]) -> Iterator[Entry]:
    yield Entry("clips", key_of(sample["real"]))
    if other := sample.get("other"):
        yield Entry("clips", key_of(other))
        whole_split = {name: value for name, value in other.items() if name not in ("split", "most")}
        yield Entry("clips", key_of(whole_split))


def _training(data: Mapping[str, Any], store: Store) -> Iterator[Entry]:
    """Yield the list of training clips and, as far as the list can be read, their shards."""
    identity = from_plain(TrainingSetIdentity, data)
    yield Entry(LIST, identity.key)
    if store.faults(LIST, identity.key):
        return
    clips = listed_clips(store, identity, store.root)
    yield from (Entry(SHARD, key) for key in training_set(identity, store.root, len(clips), clips).shards)


def _observations(raw: Mapping[str, Any]) -> Iterator[Entry]:
    identity = identities.read_score(dict(raw))
    if isinstance(identity, QualityScore):
        yield Entry("observations", identity.observation_key(identity.fake))
        yield Entry("observations", identity.observation_key(identity.real))
