"""Which method is best in one column, and which differences are resolved at this number of clips. Pure; no torch.

The best method is picked from the data, so all pairs of methods are tested together: where all methods are equal, at
most 5 % of the columns call one worse. Scores over clips are compared with the paired delete-a-group jackknife, and the
p-values of the pairs are adjusted by Holm (1979), which holds however the rows are correlated.
`tests/benchmarks/family_error.py` measures the error rate and the power. Numbers without groups of clips (parameters,
seconds) differ if their intervals do not overlap.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import fmean
from typing import Literal

from rdtf_bench.core import intervals
from rdtf_bench.report.table.rows import Number, variance_between_seeds

LEVEL = 0.05

Verdict = Literal["best", "second", "tied", ""]
"""`best` differs from all other methods, `second` from all but the best; `tied` is not resolved from the best."""


def verdicts(numbers: Sequence[Number]) -> dict[str, Verdict]:
    """Return the verdict of each method of one metric, by row. Controls do not compete; a single method has no verdict.

    Numbers of different yardsticks cannot be ranked and get no verdicts.
    """
    rivals = [number for number in numbers if number.kind != "control"]
    if len(rivals) < 2 or len({number.yardstick for number in rivals}) > 1:
        return {}
    ranked = sorted(rivals, key=lambda number: number.value, reverse=rivals[0].higher_is_better)
    pairs = list(combinations(ranked, 2))
    resolved = {(one.row, other.row) for (one, other), apart in zip(pairs, are_resolved(pairs), strict=True) if apart}
    best, second, *others = ranked
    judged: dict[str, Verdict] = {
        number.row: "" if (best.row, number.row) in resolved else "tied" for number in ranked[1:]
    }
    judged[best.row] = "tied" if "tied" in judged.values() else "best"
    if judged[best.row] == "best" and all((second.row, number.row) in resolved for number in others):
        judged[second.row] = "second"
    return {number.row: judged[number.row] for number in rivals}


def are_resolved(pairs: Sequence[tuple[Number, Number]]) -> list[bool]:
    """Return for each pair whether its numbers differ, at a family-wise error rate of 5 % over all these pairs."""
    if not all(number.without_group for pair in pairs for number in pair):
        return [are_apart(*pair) for pair in pairs]
    return [p < LEVEL for p in intervals.holm(p_values(pairs))]


def p_values(pairs: Sequence[tuple[Number, Number]]) -> list[float]:
    """Return the p-value of each difference, with the variation between seeds if several were trained."""
    return [found.p for found in differences(pairs)]


def differences(pairs: Sequence[tuple[Number, Number]]) -> list[intervals.Estimate]:
    """Estimate each difference, with the variation between seeds if several were trained."""
    values = (one.value - other.value for one, other in pairs)
    return [intervals.student(value, *parts) for value, parts in zip(values, _variances(pairs), strict=True)]


def _variances(pairs: Sequence[tuple[Number, Number]]) -> list[tuple[intervals.Variance, ...]]:
    """Return the variances of each difference: over clips and, if several seeds were trained, between seeds.

    The variance between the few seeds of one pair is itself uncertain, and the smallest of many is far too small. A
    pair therefore has at least the mean of all pairs, whose degrees of freedom are those of a two-way analysis of
    variance of rows and seeds.
    """
    between = [variance_between_seeds(*pair) for pair in pairs]
    rows = {number.row: len(number.seeds) for pair in pairs for number in pair if len(number.seeds) > 1}
    if not rows:
        return [(_over_clips(*pair),) for pair in pairs]
    typical = fmean(between)
    freedom = float(max(1, len(rows) - 1) * (min(rows.values()) - 1))
    return [
        (_over_clips(*pair), intervals.Variance(value=max(own, typical), freedom=freedom))
        for pair, own in zip(pairs, between, strict=True)
    ]


def _over_clips(one: Number, other: Number) -> intervals.Variance:
    moves = [ours - theirs for ours, theirs in zip(one.without_group, other.without_group, strict=True)]
    return intervals.Variance(value=intervals.deviation(moves) ** 2, freedom=float(len(moves) - 1))


@dataclass(frozen=True, kw_only=True)
class Against:
    """Methods that are significantly better or worse than a control, and those whose difference is not resolved."""

    better: tuple[str, ...]
    worse: tuple[str, ...]
    unresolved: tuple[str, ...]


def against(control: str, numbers: Sequence[Number]) -> Against | None:
    """Compare the methods of one metric with a control row; None if the control or every method has no paired score."""
    by_row: Mapping[str, Number] = {number.row: number for number in numbers if number.without_group}
    reference = by_row.get(control)
    methods = [number for number in by_row.values() if number.kind != "control"]
    if reference is None or not methods:
        return None
    pairs = [(number, reference) for number in methods]
    resolved = {number.row: apart for number, apart in zip(methods, are_resolved(pairs), strict=True)}
    sign = 1 if reference.higher_is_better else -1
    told = [number for number in methods if resolved[number.row]]
    return Against(
        better=tuple(number.row for number in told if sign * (number.value - reference.value) > 0),
        worse=tuple(number.row for number in told if sign * (number.value - reference.value) < 0),
        unresolved=tuple(number.row for number in methods if not resolved[number.row]),
    )


def are_apart(one: Number, other: Number) -> bool:
    """Return whether the intervals of two numbers do not overlap."""
    return one.ci_high < other.ci_low or other.ci_high < one.ci_low
