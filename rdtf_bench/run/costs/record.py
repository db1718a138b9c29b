"""Measured costs as stored on disk. Reading them needs no torch."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rdtf_bench import catalog
from rdtf_bench.core.store import key_of
from rdtf_bench.spec.schema import CostSpec

FILE = "costs.json"


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One number of one row. A counted number has n = 1 and a point as its interval."""

    label: str
    method: str
    metric: str
    yardstick: str
    value: float
    ci_low: float
    ci_high: float
    n: int


@dataclass(frozen=True, kw_only=True)
class CostRecord:
    """The measured costs of a table at full size, and where they were measured."""

    protocol: str
    version: int
    rows: tuple[Measured, ...]
    readings: tuple[int, ...]  # total parameters of each reading of the protocol, in its order
    environment: dict[str, Any]
    seconds: float  # that measuring took
    created: str  # UTC, ISO 8601

    @classmethod
    def read(cls, path: Path) -> "CostRecord":
        """Read a record from its JSON file."""
        raw = json.loads(path.read_text(encoding="utf-8"))
        rows = tuple(Measured(**row) for row in raw["rows"])
        return cls(**{**raw, "rows": rows, "readings": tuple(raw["readings"])})


def key(spec: CostSpec) -> str:
    """Return the key of the requested measurement and the versions of its methods; the machine is not part of it.

    Published measurements hang on this key. A field that is added to CostSpec or a part of it declares a default, and
    it stays out of the key at that default.
    """
    methods = sorted({row.method for row in spec.rows} | {reading.method for reading in spec.readings})
    versions = {name: catalog.constants("method", name)["VERSION"] for name in methods}
    asked = spec.model_dump(mode="json", exclude={"title", "source", "notes"}, exclude_defaults=True)
    # the defaults of these have always been hashed
    asked["rows"] = [{"options": {}, "paper": {}, **row} for row in asked["rows"]]
    asked["readings"] = [{"options": {}, **reading} for reading in asked["readings"]]
    return key_of({"spec": asked, "versions": versions})


def find(spec: CostSpec, folders: list[Path]) -> CostRecord | None:
    """Return the record of this protocol from the first folder that has one."""
    paths = (folder / key(spec) / FILE for folder in folders)
    return next((CostRecord.read(path) for path in paths if path.is_file()), None)
