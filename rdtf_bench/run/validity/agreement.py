"""How rules for short clips rank clips with known faults, beside how the whole clips are ranked. No torch."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rdtf_bench.core.errors import StoreError
from rdtf_bench.core.store import Store, key_of, write_text
from rdtf_bench.run.validity import plan as validity_plan
from rdtf_bench.run.validity.plan import PlannedCurve
from rdtf_bench.spec.schema import Scale, ValiditySpec

KIND = "agreements"
FILE = "agreement.json"


@dataclass(frozen=True, kw_only=True)
class AgreementRecord:
    """Kendall's tau of one rule's values with those of the whole clips, intact ones counted once."""

    rule: str
    tau: float
    without_group: tuple[float, ...]  # the same without each group of clips
    by_fault: Mapping[str, float]
    num_values: int
    n: int


@dataclass(frozen=True, kw_only=True)
class PlannedAgreement:
    rule: str
    whole: tuple[PlannedCurve, ...]  # a curve a fault
    part: tuple[PlannedCurve, ...]

    @property
    def key(self) -> str:
        return key_of([[curve.key for curve in side] for side in (self.whole, self.part)])


def plan(spec: ValiditySpec, planned: Sequence[PlannedCurve]) -> list[PlannedAgreement]:
    """None where the protocol compares no rules."""
    if spec.short_clips is None:
        return []
    count = len(spec.faults)
    whole, *parts = (tuple(planned[start : start + count]) for start in range(0, len(planned), count))
    return [
        PlannedAgreement(rule=rule, whole=whole, part=part)
        for rule, part in zip(spec.short_clips.rules, parts, strict=True)
    ]


def read_all(spec: ValiditySpec, scale: Scale, source: str | None, root: Path) -> list[AgreementRecord]:
    """StoreError where one has not been measured."""
    store, planned = Store(root), plan(spec, validity_plan.plan(spec, scale, source, root))
    if missing := [agreement.rule for agreement in planned if not store.has(KIND, agreement.key)]:
        raise StoreError(f"{root}: {', '.join(missing)} have not been compared. Run: rdtf-bench run {spec.name}")
    return [read(store, agreement.key) for agreement in planned]


def read(store: Store, key: str) -> AgreementRecord:
    raw = json.loads((store.path(KIND, key) / FILE).read_text(encoding="utf-8"))
    return AgreementRecord(**{**raw, "without_group": tuple(raw["without_group"])})


def write(record: AgreementRecord, folder: Path) -> None:
    write_text(folder / FILE, json.dumps(asdict(record), indent=1, allow_nan=False) + "\n")
