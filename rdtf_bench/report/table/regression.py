"""Compare a measured table with the published one, number by number, to find numbers that moved. Pure; no torch."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rdtf_bench.core import intervals
from rdtf_bench.report import layouts
from rdtf_bench.report.table.grid import decimals_for
from rdtf_bench.run.record import Record, ScoreRecord
from rdtf_bench.spec.plan import Cell

TOLERANCE = 0.1
"""Share of a score's jackknife standard deviation by which it may move. The rounding of another processor moves a score
by far less, and a change that a table would show moves it by far more. Counted numbers may not move at all."""


@dataclass(frozen=True, kw_only=True)
class NumberCheck:
    """One number as published (`then`) and as measured (`now`); one of them may be absent."""

    row: str
    metric: str
    then: ScoreRecord | None
    now: ScoreRecord | None

    @property
    def tolerance(self) -> float:
        """Return by how much the number may move, in its own unit; 0 for a number without groups of clips."""
        groups = self.then.without_group if self.then else ()
        return TOLERANCE * intervals.deviation(groups) if groups else 0.0

    @property
    def fault(self) -> str:
        """What is wrong with the number; empty if it did not move."""
        if self.now is None:
            return "is not measured any more"
        if self.then is None:
            return "is new: publish it"
        if self.then.yardstick != self.now.yardstick:
            return f"has another yardstick: {self.then.yardstick!r} then, {self.now.yardstick!r} now"
        if self.then.n != self.now.n:
            return f"has another number of clips: {self.then.n} then, {self.now.n} now"
        # written so that a value that is no number counts as moved
        if not abs(self.now.value - self.then.value) <= self.tolerance:
            return "moved"
        return ""

    def line(self) -> list[str]:
        """Return the cells of one line of the comparison."""
        then, now = (self._value(score) for score in (self.then, self.now))
        return [self.row, self.metric, then, now, f"±{self.tolerance:.2g}", self.fault or "stands"]

    def _value(self, score: ScoreRecord | None) -> str:
        if score is None:
            return "-"
        counted = not score.without_group
        return f"{score.value:,.0f}" if counted else f"{score.value:.{decimals_for(abs(score.value)) + 1}f}"


def compare(
    then: Sequence[Cell], published: Mapping[str, Record], now: Sequence[Cell], measured: Mapping[str, Record]
) -> list[NumberCheck]:
    """Pair every number of either table by the label of its row, because cell ids may change with the code."""
    before, after = dict(_scores(then, published)), dict(_scores(now, measured))
    return [
        NumberCheck(row=row, metric=metric, then=before.get((row, metric)), now=after.get((row, metric)))
        for row, metric in dict.fromkeys((*before, *after))
    ]


def text(compared: Sequence[NumberCheck]) -> str:
    """Write one line per number: published, measured, the tolerance, and what is wrong."""
    head = ("row", "metric", "published", "now", "tolerance", "")
    table = layouts.Table(head=head, groups=[[check.line() for check in compared]], align="llrrll")
    return layouts.document([table], format="text")


def _scores(cells: Sequence[Cell], records: Mapping[str, Record]) -> Iterator[tuple[tuple[str, str], ScoreRecord]]:
    for cell in cells:
        if cell.id in records:
            for metric, score in records[cell.id].scores.items():
                yield (cell.label, metric), score
