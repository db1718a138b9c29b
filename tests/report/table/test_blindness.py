"""Columns that do not tell the real clips from worse ones, each difference worked out by hand."""

from dataclasses import replace

import pytest

from rdtf_bench.report.table.blindness import reason
from rdtf_bench.report.table.rows import Number
from tests.report.numbers import COMMON, number

UNIT = 1 / 3**0.5
MOVES = (UNIT, -UNIT, UNIT, -UNIT)
"""A jackknife deviation of 1."""


def control(row: str, value: float, moves: tuple[float, ...], **facts: object) -> Number:
    return replace(number(row, value, moves, kind="control", higher_is_better=True), **facts)  # type: ignore[arg-type]


@pytest.mark.parametrize(("lead", "is_blind"), [(1.9, True), (2.0, False), (-5.0, True)])
def test_real_must_be_above_static_by_1_96_paired_deviations(lead: float, is_blind: bool) -> None:
    """What both rows share, a deviation of 35, cancels."""
    both = tuple(common + move for common, move in zip(COMMON, MOVES, strict=True))
    found = reason([control("static", 10.0, COMMON), control("real", 10.0 + lead, both), number("a", 99.0)])
    assert (found is not None) == is_blind


def test_the_reason_names_yardstick_values_and_interval() -> None:
    assert reason([control("static", 10.0, (0.0,) * 4), control("real", 9.0, MOVES)]) == (
        "FVD through toy does not tell the real clips from a repeated first frame: real 9, static 10, difference -1 "
        "[-3, +0.96]."
    )


@pytest.mark.parametrize(("value", "is_blind"), [(2.4, True), (2.6, False)])
def test_a_metric_of_captions_must_be_above_chance(value: float, is_blind: bool) -> None:
    """Static is far above real, which says nothing of captions."""
    column = [control("static", 50.0, MOVES, chance=0.5), control("real", value, MOVES, chance=0.5)]
    found = reason(column)
    assert (found is not None) == is_blind
    if found is not None:
        assert "their own captions from others: real 2.4, chance 0.5, difference +1.9 [-0.06, +3.9]" in found


def test_without_the_control_rows_nothing_is_said() -> None:
    assert reason([control("static", 10.0, MOVES), number("a", 9.0)]) is None
    assert reason([control("real", 1.0, MOVES)]) is None
