"""The table of a page with the place of each interval in its column, and what is resolved in it. Pure; no torch."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from rdtf_bench.core.intervals import Estimate
from rdtf_bench.report import layouts
from rdtf_bench.report.table import footer, grid, power
from rdtf_bench.report.table.grid import Column, Entry, Grid
from rdtf_bench.report.table.rows import Number
from rdtf_bench.report.table.verdicts import against, are_resolved, differences

NONE = "none"
MORE_SEEDS = "more seeds"


@dataclass(frozen=True, kw_only=True)
class Bar:
    """Where a value and its interval lie between the ends of all intervals of the column, in percent."""

    start: float
    width: float
    at: float


@dataclass(frozen=True, kw_only=True)
class Value:
    """One cell of the table. `bar` is None for a number without an interval."""

    entry: Entry
    bar: Bar | None


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One column with its cells by row."""

    column: Column
    values: Mapping[str, Value]

    @property
    def has_paper(self) -> bool:
        """Return whether the paper prints a number for any row."""
        return self.column.has_paper and any(of.entry.paper != grid.NOT_APPLICABLE for of in self.values.values())


@dataclass(frozen=True, kw_only=True)
class Scoreboard:
    """The table as a page draws it: a bar for each interval."""

    methods: tuple[str, ...]
    controls: tuple[str, ...]
    metrics: tuple[Metric, ...]


def scoreboard(shown: Grid) -> Scoreboard:
    """Return the table with a bar for each interval."""
    return Scoreboard(methods=shown.methods, controls=shown.controls, metrics=tuple(map(_metric, shown.columns)))


def verdict_table(shown: Grid) -> layouts.Table:
    """Return one line per metric: which methods are best, tied or behind, and how they compare with a still frame."""
    head = ["metric", "best", "tied with the best", "behind the best"]
    head += [f"better than {footer.REFERENCE}", f"worse than {footer.REFERENCE}", f"tied with {footer.REFERENCE}"]
    rows = [[column.name, *_ranking(column, shown.methods), *_against(column.numbers)] for column in shown.columns]
    return layouts.Table(heading="Resolved and tied", head=head, groups=[rows], align="l" * len(head))


def pair_table(shown: Grid) -> layouts.Table:
    """Return one line per pair of methods and metric over clips, with the number of clips that would resolve it."""
    groups = []
    for column in shown.columns:
        trained = [n for n in column.numbers if n.kind != "control" and n.without_group]
        pairs = list(combinations(trained, 2)) if len({n.yardstick for n in trained}) == 1 else []
        judged = zip(pairs, differences(pairs), are_resolved(pairs), strict=True)
        groups.append([_pair(*pair, found, apart) for pair, found, apart in judged])
    head = ["metric", "difference", "value", "95 % interval", "resolved", "clips needed"]
    return layouts.Table(heading="Every pair of methods", head=head, groups=[of for of in groups if of], align="llrrlr")


def _metric(column: Column) -> Metric:
    found = {number.row: number for number in column.numbers}
    low = min((number.ci_low for number in column.numbers), default=0.0)
    high = max((number.ci_high for number in column.numbers), default=0.0)
    values = {
        label: Value(entry=entry, bar=_bar(found[label], low, high) if entry.interval and high > low else None)
        for label, entry in column.entries.items()
    }
    return Metric(column=column, values=values)


def _bar(number: Number, low: float, high: float) -> Bar:
    start, end, at = (100 * (value - low) / (high - low) for value in (number.ci_low, number.ci_high, number.value))
    return Bar(start=round(start, 2), width=round(end - start, 2), at=round(at, 2))


def _ranking(column: Column, methods: Sequence[str]) -> Iterator[str]:
    verdicts = {label: column.entries[label].verdict for label in methods}
    judged = any(verdicts.values())
    for wanted in (("best",), ("tied",), ("second", "")):
        yield (
            ", ".join(label for label in methods if verdicts[label] in wanted) or NONE
            if judged
            else grid.NOT_APPLICABLE
        )


def _against(numbers: Sequence[Number]) -> Sequence[str]:
    found = against(footer.REFERENCE, numbers)
    if found is None:
        return [grid.NOT_APPLICABLE] * 3
    return [", ".join(rows) or NONE for rows in (found.better, found.worse, found.unresolved)]


def _pair(one: Number, other: Number, found: Estimate, apart: bool) -> list[str]:
    places = grid.decimals_for(max(abs(one.value), abs(other.value)))
    return [
        layouts.directed(one.label, higher_is_better=one.higher_is_better),
        f"{one.row} − {other.row}",
        f"{found.value:+.{places}f}",
        f"[{found.ci_low:+.{places}f}, {found.ci_high:+.{places}f}]",
        "yes" if apart else "no",
        _needed(one, other, apart),
    ]


def _needed(one: Number, other: Number, apart: bool) -> str:
    """Return the number of clips that resolves a difference, or that more seeds are needed."""
    needed = power.clips_needed(one, other)
    seeds = min(len(one.seeds), len(other.seeds))
    if seeds > 1 and not apart and one.value != other.value and (needed is None or needed <= one.n):
        return MORE_SEEDS
    return grid.NOT_APPLICABLE if needed is None else f"{needed:,}"
