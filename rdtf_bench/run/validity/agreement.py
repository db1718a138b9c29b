"""Agreement between rules for short clips and full clips, in how they rank clips with known faults.

Imports no torch.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from rdtf_bench.core.errors import StoreError
from rdtf_bench.core.store import Store, key_of, write_text
from rdtf_bench.run.validity import plan as validity_plan
from rdtf_bench.run.validity.plan import PlannedCurve
from rdtf_bench.spec.command import command, data_option
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import ValiditySpec

KIND = "agreements"
FILE = "agreement.json"


@dataclass(frozen=True, kw_only=True)
class AgreementRecord:
    """Kendall's tau between the values of one rule and those of the full clips; intact clips count once."""

    rule: str
    tau: float
    without_group: tuple[float, ...]  # tau with each group of clips left out
    by_fault: Mapping[str, float]
    num_values: int
    n: int


@dataclass(frozen=True, kw_only=True)
class PlannedAgreement:
    """The curves of a rule and of the full clips that are compared."""

    rule: str
    whole: tuple[PlannedCurve, ...]  # one curve per fault
    part: tuple[PlannedCurve, ...]

    @property
    def key(self) -> str:
        """Return the key of the comparison in the store."""
        return key_of([[curve.key for curve in side] for side in (self.whole, self.part)])


def plan(spec: ValiditySpec, planned: Sequence[PlannedCurve]) -> list[PlannedAgreement]:
    """Return one comparison per rule; none if the protocol compares no rules."""
    if spec.short_clips is None:
        return []
    count = len(spec.faults)
    whole, *parts = (tuple(planned[start : start + count]) for start in range(0, len(planned), count))
    return [
        PlannedAgreement(rule=rule, whole=whole, part=part)
        for rule, part in zip(spec.short_clips.rules, parts, strict=True)
    ]


def read_all(spec: ValiditySpec, scale: Scale, source: str | None, root: Path) -> list[AgreementRecord]:
    """Return every agreement of the protocol. Raises StoreError if one has not been measured."""
    store, planned = Store(root), plan(spec, validity_plan.plan(spec, scale, source, root))
    if missing := [agreement.rule for agreement in planned if not store.has(KIND, agreement.key)]:
        raise StoreError(
            f"{root}: {', '.join(missing)} have not been compared. Run: "
            f"{command('run', spec, scale, data_option(spec.dataset, source))}"
        )
    return [read(store, agreement.key) for agreement in planned]


def read(store: Store, key: str) -> AgreementRecord:
    """Return a measured agreement."""
    raw = json.loads((store.path(KIND, key) / FILE).read_text(encoding="utf-8"))
    return AgreementRecord(**{**raw, "without_group": tuple(raw["without_group"])})


def write(record: AgreementRecord, folder: Path) -> None:
    """Write an agreement into an entry of the store."""
    write_text(folder / FILE, json.dumps(asdict(record), indent=1, allow_nan=False) + "\n")
