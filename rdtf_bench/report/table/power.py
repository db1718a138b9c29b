"""Number of test clips that would resolve the differences of a table, the paper's and our own. Pure; no torch.

The standard deviation of a difference is measured on our clips, paired. Our yardsticks have other values than the
paper's, so the deviation is scaled in proportion to the value: 5 % of our value becomes 5 % of the paper's.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from rdtf_bench.core import intervals
from rdtf_bench.core.errors import StoreError
from rdtf_bench.report import layouts
from rdtf_bench.report.table.rows import Number, by_metric, rows, variance_between_seeds
from rdtf_bench.run.record import Record
from rdtf_bench.spec.command import command
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import TableSpec


@dataclass(frozen=True, kw_only=True)
class Pair:
    """Two rows of one metric. The needed n is None for a difference of 0, which no number of clips resolves."""

    metric: str
    label: str  # the metric's
    rows: tuple[str, str]
    ours: float  # the first's value minus the second's
    deviation: float  # of that difference, paired, at `measured_at` clips
    measured_at: int
    n_ours: int | None
    paper: float | None  # the same difference in the paper
    n_paper: int | None


def pairs(
    spec: TableSpec, scale: Scale, cells: Sequence[Cell], records: Mapping[str, Record], options: Sequence[str] = ()
) -> list[Pair]:
    """Pair every two methods for each metric over clips; raise StoreError if no two have been measured.

    `options` are those with which a command takes this table besides its scale.
    """
    found = list(
        _pairs([n for n in rows(spec, cells, records) if n.kind != "control" and n.without_group and not n.part_of])
    )
    if not found:
        raise StoreError(
            f"{spec.name}: fewer than two methods have been measured, so there are no paired differences. Run: "
            f"{command('run', spec, scale, options)}"
        )
    return found


def text(found: Sequence[Pair]) -> str:
    """Write one line per pair: the paper's difference and ours, each with the n that resolves it."""
    rows = [
        [
            pair.label,
            " - ".join(pair.rows),
            _signed(pair.paper),
            _count(pair.n_paper, pair.paper),
            _signed(pair.ours),
            _count(pair.n_ours, pair.ours),
        ]
        for pair in found
    ]
    table = layouts.Table(head=("metric", "difference", "paper", "n", "ours", "n"), groups=[rows], align="llrrrr")
    at = " and ".join(str(n) for n in sorted({pair.measured_at for pair in found}))
    note = (
        "n: number of test clips at which a paired test at 5 % finds the difference in 4 of 5 tries. Standard "
        f"deviations are those of our paired differences at n = {at} (delete-a-group jackknife). For the paper's "
        "differences they are scaled in proportion to the values, because its yardsticks differ from ours."
    )
    return layouts.document([table], [note], format="text")


def _pairs(numbers: Sequence[Number]) -> Iterator[Pair]:
    for column in by_metric(numbers).values():
        for one, other in combinations(column, 2):
            if len(one.without_group) == len(other.without_group):
                yield pair(one, other)


def pair(one: Number, other: Number) -> Pair:
    """Return the difference of two rows of one metric with the numbers of clips that resolve it."""
    measured = intervals.difference(
        one.value, one.without_group, minus=other.value, minus_without_group=other.without_group
    )
    paper = None if one.paper is None or other.paper is None else one.paper - other.paper
    proportion = 0.0
    if one.paper is not None and other.paper is not None and one.value + other.value:
        proportion = (one.paper + other.paper) / (one.value + other.value)
    return Pair(
        metric=one.metric,
        label=one.label,
        rows=(one.row, other.row),
        ours=measured.value,
        deviation=measured.deviation,
        measured_at=one.n,
        n_ours=_needed(measured.value, measured.deviation, one.n),
        paper=paper,
        n_paper=None if paper is None else _needed(paper, proportion * measured.deviation, one.n),
    )


def clips_needed(one: Number, other: Number) -> int | None:
    """Return the number of clips that resolves the difference of two rows of these random seeds.

    None for a difference of 0, and for one that the variation between the seeds hides, which more clips do not reduce.
    """
    if abs(one.value - other.value) <= intervals.Z_95 * math.sqrt(variance_between_seeds(one, other)):
        return None
    return pair(one, other).n_ours


def _needed(difference: float, deviation: float, n: int) -> int | None:
    return None if difference == 0 else intervals.clips_to_resolve(difference, deviation=deviation, n=n)


def _signed(difference: float | None) -> str:
    return "n/a" if difference is None else f"{difference:+.4g}"


def _count(n: int | None, difference: float | None) -> str:
    if difference is None:
        return "n/a"
    return "never" if n is None else f"{n:,}"
