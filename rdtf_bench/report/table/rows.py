"""Collect the numbers of a table from its plan and records, one for each that exists. Pure; no torch."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import fsum
from statistics import fmean, stdev, variance
from typing import Any

from rdtf_bench.core import intervals
from rdtf_bench.run.record import Record, ScoreRecord
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.schema import PaperValue, TableSpec

TIDY = ("method", "dataset", "task", "metric", "yardstick", "value", "ci_low", "ci_high", "n", "paper")
"""Columns of the CSV and keys of the JSON; `columns` adds those that only some tables need."""


@dataclass(frozen=True, kw_only=True)
class Number:
    """One measured number with the paper's, and what the layouts and the verdicts need to know about it."""

    method: str
    dataset: str
    task: str
    metric: str
    yardstick: str
    value: float
    ci_low: float
    ci_high: float
    n: int
    paper: float | None
    row: str  # the label of its line
    kind: str  # method | control
    label: str  # the metric's, such as "FVD"
    unit: str
    higher_is_better: bool
    seeds: tuple[int, ...]  # the value is the mean over them
    by_seed: tuple[float, ...] = ()  # its value with each seed
    seed_sd: float | None = None  # the standard deviation over them; None of a single one
    without_group: tuple[float, ...]
    part_of: str = ""  # the metric, if this is a part of its score
    chance: float | None = None  # what a caption drawn from the candidates scores; None for a metric without captions

    def tidy(self, columns: Sequence[str] = TIDY) -> dict[str, Any]:
        """Return the values of these columns by name."""
        return {name: len(self.seeds) if name == "seeds" else getattr(self, name) for name in columns}


def difference(one: Number, other: Number) -> intervals.Estimate:
    """Estimate the difference of two rows of one metric, paired by clip, with the variation between seeds if several
    were trained."""
    found = intervals.difference(
        one.value, one.without_group, minus=other.value, minus_without_group=other.without_group
    )
    if one.seeds == other.seeds and len(one.seeds) > 1:  # the same data in the same order: paired as well
        pairs = zip(one.by_seed, other.by_seed, strict=True)
        return intervals.with_seeds(found, [ours - theirs for ours, theirs in pairs])
    for side in (one, other):
        if len(side.seeds) > 1:
            found = intervals.with_seeds(found, side.by_seed)
    return found


def variance_between_seeds(one: Number, other: Number) -> float:
    """Return the variance between seeds of the difference of two rows, which are means over their seeds."""
    if one.seeds == other.seeds and len(one.seeds) > 1:
        pairs = zip(one.by_seed, other.by_seed, strict=True)
        return variance(ours - theirs for ours, theirs in pairs) / len(one.seeds)
    return fsum(variance(side.by_seed) / len(side.seeds) for side in (one, other) if len(side.seeds) > 1)


def columns(numbers: Sequence[Number]) -> tuple[str, ...]:
    """Return TIDY, with `row` (the label) if a method has several rows, and `seeds` and `seed_sd` if a row has several
    seeds."""
    of_method: dict[str, set[str]] = {}
    for number in numbers:
        of_method.setdefault(number.method, set()).add(number.row)
    ambiguous = any(len(rows) > 1 for rows in of_method.values())
    seeded = any(len(number.seeds) > 1 for number in numbers)
    return (*TIDY, *(("row",) if ambiguous else ()), *(("seeds", "seed_sd") if seeded else ()))


def by_metric(numbers: Iterable[Number]) -> dict[str, list[Number]]:
    """Group numbers by their metric, in the order in which the metrics come first."""
    found: dict[str, list[Number]] = {}
    for number in numbers:
        found.setdefault(number.metric, []).append(number)
    return found


def lines(cells: Sequence[Cell]) -> dict[str, list[Cell]]:
    """Group the cells by the label of their line, in the table's order; the cells of a line differ in their seed."""
    found: dict[str, list[Cell]] = {}
    for cell in cells:
        found.setdefault(cell.label, []).append(cell)
    return found


def diverged(cells: Sequence[Cell], records: Mapping[str, Record]) -> dict[str, dict[int, int]]:
    """Return the rows whose training has diverged: by label and by seed, the step whose loss is not a finite number."""
    found: dict[str, dict[int, int]] = {}
    for cell in cells:
        step = records[cell.id].diverged_at_step if cell.id in records else None
        if step is not None:
            found.setdefault(cell.label, {})[cell.seed] = step
    return found


def rows(spec: TableSpec, cells: Sequence[Cell], records: Mapping[str, Record]) -> list[Number]:
    """Return the numbers of the table; `records` are by cell id.

    A score counts only if it has the key that the plan gives it, so that outdated scores are left out. The parts of a
    score follow it, as numbers of `<metric>_<part>`.
    """
    papers = {row.label: row.paper for row in spec.rows}
    numbers = []
    for label, line in lines(cells).items():
        for metric in spec.metrics:
            found = [(cell, records[cell.id]) for cell in line if cell.id in records and _counts(cell, metric, records)]
            if found:
                scores = [record.scores[metric] for _, record in found]
                number = _number(metric, found, scores, papers.get(label, {}).get(metric))
                numbers += [number, *_parts(number, found, scores)]
    return numbers


def _parts(whole: Number, found: Sequence[tuple[Cell, Record]], scores: Sequence[ScoreRecord]) -> Iterator[Number]:
    for name in scores[0].parts:
        if all(name in score.parts for score in scores):
            of_part = [replace(score, **vars(score.parts[name]), beside={}) for score in scores]
            number = _number(f"{whole.metric}_{name}", found, of_part, None)
            yield replace(number, label=f"{whole.label} {name}", part_of=whole.metric)


def _counts(cell: Cell, metric: str, records: Mapping[str, Record]) -> bool:
    score = records[cell.id].scores.get(metric)
    return score is not None and metric in cell.scores and score.key == cell.score_key(metric)


def _number(
    metric: str, found: Sequence[tuple[Cell, Record]], scores: Sequence[ScoreRecord], quoted: PaperValue | None
) -> Number:
    cell, record = found[0]
    value, ci_low, ci_high, without_group = _mean_over_seeds(scores)
    return Number(
        method=cell.method,
        dataset=record.dataset,
        task=record.task,
        metric=metric,
        yardstick=scores[0].yardstick,
        value=value,
        ci_low=ci_low,
        ci_high=ci_high,
        n=min(score.n for score in scores),
        paper=quoted.number if quoted else None,
        row=cell.label,
        kind=cell.kind,
        label=scores[0].label,
        unit=scores[0].unit,
        higher_is_better=scores[0].higher_is_better,
        seeds=tuple(cell.seed for cell, _ in found),
        by_seed=tuple(score.value for score in scores),
        seed_sd=stdev(score.value for score in scores) if len(scores) > 1 else None,
        without_group=without_group,
        chance=scores[0].beside.get("chance"),
    )


def _mean_over_seeds(scores: Sequence[ScoreRecord]) -> tuple[float, float, float, tuple[float, ...]]:
    """Return the mean, the ends of its interval and the mean without each group of clips.

    The variance of a mean over seeds is that over the clips (the same for every seed, so groups are averaged first)
    plus that between seeds divided by their number.
    """
    if len(scores) == 1:
        only = scores[0]
        return only.value, only.ci_low, only.ci_high, only.without_group
    values = [score.value for score in scores]
    value = fmean(values)
    without_group = tuple(fmean(group) for group in zip(*(score.without_group for score in scores), strict=True))
    if not without_group:
        return value, fmean(score.ci_low for score in scores), fmean(score.ci_high for score in scores), ()
    found = intervals.with_seeds(intervals.estimate(value, without_group), values)
    return value, found.ci_low, found.ci_high, without_group
