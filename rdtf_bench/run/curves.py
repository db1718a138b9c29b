"""Values of metrics over the severity of faults, as kept in the store. No torch."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rdtf_bench import catalog
from rdtf_bench.core import assets as registry
from rdtf_bench.core.errors import StoreError, unknown_name
from rdtf_bench.core.store import Store, key_of, write_text
from rdtf_bench.run import datasets
from rdtf_bench.spec.load import load_validity, validity_names
from rdtf_bench.spec.plan import DataIdentity, asset_roles, noise_floor_split
from rdtf_bench.spec.schema import DataSizes, Scale, ValiditySpec

KIND = "curves"
FILE = "curve.json"


@dataclass(frozen=True, kw_only=True)
class CurveRecord:
    """One metric's values over the severity of one fault."""

    metric: str
    label: str
    yardstick: str
    higher_is_better: bool
    fault: str
    strengths: tuple[float, ...]
    values: tuple[float, ...]  # the first of intact clips, the others of each strength
    rank_correlation: float  # Spearman's, of severity and how bad the metric finds it
    is_seen: bool
    n: int


@dataclass(frozen=True, kw_only=True)
class PlannedCurve:
    metric: str
    fault: str
    key: str


def load(name: str) -> ValiditySpec:
    """The protocol of this name; every metric in it is in the catalog."""
    spec = load_validity(name)
    for metric in spec.metrics:
        if metric not in catalog.names("metric"):
            raise unknown_name("metric", metric, catalog.names("metric"))
    return spec


def are_in(name: str) -> bool:
    return name in validity_names()


def sizes(spec: ValiditySpec, scale: Scale) -> DataSizes:
    return scale.data.model_copy(update={"test": spec.num_clips, "validation": spec.num_clips})


def plan(spec: ValiditySpec, scale: Scale, source: str | None, root: Path) -> list[PlannedCurve]:
    """Every curve with its key: what decides the metric, the clips, and the fault."""
    data = datasets.identify(spec.dataset, source, sizes(spec, scale), scale.clip.num_frames, store=root)
    return [
        PlannedCurve(metric=metric, fault=fault, key=_key(spec, scale, data, metric, fault))
        for metric in spec.metrics
        for fault in spec.faults
    ]


def read(store: Store, key: str) -> CurveRecord:
    raw = json.loads((store.path(KIND, key) / FILE).read_text(encoding="utf-8"))
    return CurveRecord(**{**raw, "strengths": tuple(raw["strengths"]), "values": tuple(raw["values"])})


def read_all(spec: ValiditySpec, scale: Scale, source: str | None, root: Path) -> list[CurveRecord]:
    """StoreError where one has not been measured."""
    store, planned = Store(root), plan(spec, scale, source, root)
    if missing := [curve for curve in planned if not store.has(KIND, curve.key)]:
        raise StoreError(
            f"{root}: {len(missing)} of {len(planned)} curves of {spec.name} have not been measured at scale "
            f"{scale.name} on this data. Run: rdtf-bench run {spec.name}"
        )
    return [read(store, curve.key) for curve in planned]


def write(record: CurveRecord, folder: Path) -> None:
    write_text(folder / FILE, json.dumps(asdict(record), indent=1, allow_nan=False) + "\n")


def _key(spec: ValiditySpec, scale: Scale, data: DataIdentity, metric: str, fault: str) -> str:
    facts, options = catalog.constants("metric", metric), scale.metrics.get(metric, {})
    other = {"train": data.train, "validation": data.validation}[noise_floor_split(data)]
    identity: dict[str, Any] = {
        "version": spec.version,
        "metric": metric,
        "metric_version": facts["VERSION"],
        "options": dict(options),
        "assets": {role: registry.find(scale.assets[role]).digest for role in asset_roles(facts, options)},
        "fault": fault,
        "strengths": spec.strengths,
        "clips": {"test": data.test, "other": other, "shape": scale.clip.model_dump()},
    }
    return key_of(identity)
