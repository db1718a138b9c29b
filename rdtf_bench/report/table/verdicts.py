"""Which method is best in one column, and which differences are resolved at this number of clips. Pure; no torch.

Scores over clips are compared with the paired delete-a-group jackknife, which includes the variation between seeds if
several were trained, and Holm-corrected over the comparisons. Numbers without groups of clips (parameters, seconds)
differ if their intervals do not overlap.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from rdtf_bench.core import intervals
from rdtf_bench.report.table.rows import Number, difference

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
    best, *behind = sorted(rivals, key=lambda number: number.value, reverse=rivals[0].higher_is_better)
    resolved = are_resolved(behind, best)
    judged: dict[str, Verdict] = {number.row: "" if resolved[number.row] else "tied" for number in behind}
    judged[best.row] = "best" if all(resolved.values()) else "tied"
    second, *others = behind
    if judged[best.row] == "best" and all(are_resolved(others, second).values()):
        judged[second.row] = "second"
    return {number.row: judged[number.row] for number in rivals}


def are_resolved(numbers: Sequence[Number], reference: Number) -> dict[str, bool]:
    """Return by row whether the number differs from the reference, at a family-wise error rate of 5 %."""
    if not reference.without_group:
        return {number.row: _apart(number, reference) for number in numbers}
    adjusted = intervals.holm([difference(number, reference).p for number in numbers])
    return {number.row: p < LEVEL for number, p in zip(numbers, adjusted, strict=True)}


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
    resolved = are_resolved(methods, reference)
    sign = 1 if reference.higher_is_better else -1
    told = [number for number in methods if resolved[number.row]]
    return Against(
        better=tuple(number.row for number in told if sign * (number.value - reference.value) > 0),
        worse=tuple(number.row for number in told if sign * (number.value - reference.value) < 0),
        unresolved=tuple(number.row for number in methods if not resolved[number.row]),
    )


def _apart(one: Number, other: Number) -> bool:
    return one.ci_high < other.ci_low or other.ci_high < one.ci_low
