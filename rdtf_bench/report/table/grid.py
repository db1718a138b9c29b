"""The table as words in cells, the same for every layout: heads, rounded numbers and marks. Pure; no torch."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rdtf_bench.report import layouts
from rdtf_bench.report.table import blindness
from rdtf_bench.report.table.rows import Number, by_metric, lines
from rdtf_bench.report.table.verdicts import Verdict, verdicts
from rdtf_bench.spec.plan import Cell, Constants
from rdtf_bench.spec.schema import PaperValue, TableSpec

NOT_RUN = "not run"
DIVERGED = "diverged"
NOT_APPLICABLE = "n/a"
BY_CONSTRUCTION = "0"
"""What the control row of the real clips shows for a distance from the real clips; it is not measured."""


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One number as words; `interval` is empty if there is none or the number is exact."""

    value: str
    interval: str
    paper: str
    verdict: Verdict | None


@dataclass(frozen=True, kw_only=True)
class Column:
    """One metric: our number and the paper's for every row. A part of a metric has no number of the paper's."""

    name: str  # with its direction, "FVD ↓"
    yardstick: str
    entries: Mapping[str, Entry]
    has_paper: bool = True
    numbers: Sequence[Number] = ()  # from which the entries are written

    @property
    def brackets(self) -> str:
        """The yardstick in brackets; empty if the metric was computed with its official network."""
        return f"({self.yardstick})" if self.yardstick else ""

    @property
    def head(self) -> str:
        """Return the heading: the name and what stands in brackets behind it."""
        return f"{self.name} {self.brackets}".rstrip()


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The cells of a table as words, with the methods and the control rows in order."""

    methods: tuple[str, ...]
    controls: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def has_verdicts(self) -> bool:
        """Return whether any cell has a verdict."""
        return any(entry.verdict for column in self.columns for entry in column.entries.values())

    @property
    def has_gaps(self) -> bool:
        """Return whether any cell is not run."""
        return any(entry.value == NOT_RUN for column in self.columns for entry in column.entries.values())


@dataclass(frozen=True, kw_only=True)
class Digits:
    """Number format of one column: multiply by `factor`, round to `decimals` places and append the unit."""

    factor: float
    decimals: int
    suffix: str

    def value(self, number: Number) -> str:
        """Write a value, with the standard deviation over seeds if they differ."""
        spread = f" ±{self._digits(number.seed_sd)}" if number.seed_sd else ""
        return self._digits(number.value) + spread + self.suffix

    def interval(self, number: Number) -> str:
        """Return the confidence interval in brackets; empty for a number that is counted and not estimated."""
        if not number.without_group and number.ci_low == number.ci_high:  # counted, not estimated
            return ""
        return f"[{self._digits(number.ci_low)}, {self._digits(number.ci_high)}]"

    def _digits(self, value: float) -> str:
        text = f"{value * self.factor:.{self.decimals}f}"
        return text.removeprefix("-") if float(text) == 0 else text  # no "-0.0"


def build(
    spec: TableSpec,
    cells: Sequence[Cell],
    numbers: Sequence[Number],
    constants: Constants,
    *,
    lost: Collection[str] = (),
) -> Grid:
    """Build the table; `lost` are the rows whose training has diverged.

    `constants` gives a metric's name and direction before the first run, when no record does.
    """
    found = by_metric(numbers)
    metrics = (*spec.metrics, *(metric for metric, column in found.items() if column[0].part_of))
    kinds = {label: line[0].kind for label, line in lines(cells).items()}
    return Grid(
        methods=tuple(label for label, kind in kinds.items() if kind != "control"),
        controls=tuple(label for label, kind in kinds.items() if kind == "control"),
        columns=tuple(_column(spec, metric, cells, found, lost, constants) for metric in metrics),
    )


def is_the_reference(cell: Cell, uses: Collection[str]) -> bool:
    """Return whether a row is the real clips that a metric with these USES compares with."""
    return cell.kind == "control" and cell.method == blindness.REAL and "real" in uses


def digits_for(numbers: Sequence[Number]) -> Digits:
    """Choose three significant digits for the column's largest value, and at least one decimal."""
    largest = max(abs(number.value) for number in numbers)
    if numbers[0].metric == "params":
        billions = largest >= 1e8
        return Digits(factor=1e-9 if billions else 1e-6, decimals=2, suffix=" B" if billions else " M")
    if numbers[0].unit == "s":
        factor, suffix = (1e3, " ms") if largest < 1 else (1.0, " s")
        return Digits(factor=factor, decimals=decimals_for(largest * factor), suffix=suffix)
    return Digits(factor=1.0, decimals=decimals_for(largest), suffix="")


def decimals_for(largest: float) -> int:
    """Return the number of decimals that shows three significant digits, from 1 to 6.

    >>> [decimals_for(value) for value in (0.0, 0.0412, 0.512, 4.13, 41.3, 451.8)]
    [3, 4, 3, 2, 1, 1]
    >>> decimals_for(1.4e-12)  # the last bits of a distance of 0
    6
    """
    return min(6, max(1, 2 - math.floor(math.log10(largest)))) if largest > 0 else 3


def _column(
    spec: TableSpec,
    metric: str,
    cells: Sequence[Cell],
    found: Mapping[str, Sequence[Number]],
    lost: Collection[str],
    constants: Constants,
) -> Column:
    mine = found.get(metric, [])
    whole = mine[0].part_of or metric if mine else metric
    facts = constants("metric", whole)
    about = _About.of(mine) if mine else _About.before_the_run(facts)
    papers = {row.label: _printed(row.paper[metric], about.unit) for row in spec.rows if metric in row.paper}
    mark = f" {blindness.MARK}" if blindness.reason(mine) else ""
    measured = {number.row for number in found.get(whole, [])}
    absent = {label: _absent(line, whole, facts["USES"], measured, lost) for label, line in lines(cells).items()}
    return Column(
        name=layouts.directed(about.label, higher_is_better=about.higher_is_better) + mark,
        yardstick=about.yardstick,
        entries=_entries(mine, papers, absent),
        has_paper=metric in spec.metrics,
        numbers=mine,
    )


def _absent(
    line: Sequence[Cell], metric: str, uses: Collection[str], measured: Collection[str], lost: Collection[str]
) -> str:
    """Return what a row shows where it has no number. A part of a metric is missing for the reason of its metric."""
    if is_the_reference(line[0], uses):
        return BY_CONSTRUCTION
    label = line[0].label
    if label in measured or not any(metric in cell.scores for cell in line):
        return NOT_APPLICABLE
    return DIVERGED if label in lost else NOT_RUN


@dataclass(frozen=True, kw_only=True)
class _About:
    """What the head and the units of a column need to know about its metric."""

    label: str
    unit: str
    higher_is_better: bool
    yardstick: str

    @classmethod
    def of(cls, numbers: Sequence[Number]) -> "_About":
        return cls(
            label=numbers[0].label,
            unit=numbers[0].unit,
            higher_is_better=numbers[0].higher_is_better,
            yardstick=" / ".join(dict.fromkeys(number.yardstick for number in numbers)),
        )

    @classmethod
    def before_the_run(cls, facts: Mapping[str, Any]) -> "_About":
        # a bare "FVD" would claim the official yardstick, which is known only once the network has been loaded
        return cls(
            label=facts["LABEL"],
            unit=facts["UNIT"],
            higher_is_better=facts["HIGHER_IS_BETTER"],
            yardstick=facts.get("YARDSTICK", NOT_RUN),
        )


def _printed(quoted: PaperValue, unit: str) -> str:
    """Write a value as printed in the paper; seconds name their unit, because ours may be in milliseconds."""
    return f"{quoted.value} s" if unit == "s" else quoted.value


def _entries(numbers: Sequence[Number], papers: Mapping[str, str], absent: Mapping[str, str]) -> dict[str, Entry]:
    """Return the cells of a column by row; `absent` is what each row shows without a number."""
    found = {number.row: number for number in numbers}
    judged = verdicts(numbers)
    digits = digits_for(numbers) if numbers else None
    entries = {}
    for label, word in absent.items():
        number = found.get(label)
        entries[label] = Entry(
            value=digits.value(number) if digits and number else word,
            interval=digits.interval(number) if digits and number else "",
            paper=papers.get(label, NOT_APPLICABLE),
            verdict=judged.get(label),
        )
    return entries
