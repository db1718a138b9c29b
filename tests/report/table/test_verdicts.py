"""Best, second and resolved, each worked out by hand."""

from dataclasses import replace

import pytest

from rdtf_bench.report.table.rows import Number, difference
from rdtf_bench.report.table.verdicts import Against, against, verdicts
from tests.report.numbers import COMMON, NOTHING, number


def ungrouped(row: str, value: float, half: float) -> Number:
    plain = number(row, value)
    return Number(**{**vars(plain), "ci_low": value - half, "ci_high": value + half, "without_group": ()})


def test_lower_is_best_where_lower_is_better() -> None:
    found = verdicts([number("a", 3.0), number("b", 1.0), number("c", 2.0)])
    assert found == {"a": "", "b": "best", "c": "second"}


def test_higher_is_best_where_higher_is_better() -> None:
    found = verdicts([number(row, value, higher_is_better=True) for row, value in (("a", 3.0), ("b", 1.0), ("c", 2.0))])
    assert found == {"a": "best", "b": "", "c": "second"}


def test_controls_do_not_compete() -> None:
    found = verdicts([number("a", 3.0), number("b", 2.0), number("autoencoder", 1.0, kind="control")])
    assert found == {"a": "second", "b": "best"}


def test_a_method_without_a_rival_is_not_called_best() -> None:
    assert verdicts([number("a", 3.0), number("static", 5.0, kind="control")]) == {}


def test_a_difference_is_resolved_though_the_intervals_overlap_when_both_rows_move_together() -> None:
    """100 and 110, each with deviation 20 sqrt(3) = 35; their difference has deviation sqrt(3), so z = 5.8."""
    own = tuple(common + sign for common, sign in zip(COMMON, (1, 1, -1, -1), strict=True))
    assert verdicts([number("a", 100.0, COMMON), number("b", 110.0, own)]) == {"a": "best", "b": "second"}


def test_a_difference_is_not_resolved_when_the_rows_move_against_each_other() -> None:
    """The difference moves by 40: its deviation is 40 sqrt(3) = 69, so z = 0.14."""
    against_it = tuple(-common for common in COMMON)
    assert verdicts([number("a", 100.0, COMMON), number("b", 110.0, against_it)]) == {"a": "tied", "b": "tied"}


def test_a_difference_that_seeds_do_not_repeat_is_not_resolved() -> None:
    """Over the clips alone 440, 500 against 500, 560 has z = 12; paired by seed it is -60 twice, against a single
    training of 500 it is 30 away with a deviation of 30 from two seeds."""
    moves = (5 / 3**0.5, -5 / 3**0.5) * 2
    ours = replace(number("a", 470.0, moves), seeds=(0, 1), by_seed=(440.0, 500.0))
    theirs = replace(number("b", 530.0), seeds=(0, 1), by_seed=(500.0, 560.0))
    assert verdicts([ours, theirs])["a"] == "best"
    assert difference(ours, theirs).deviation == pytest.approx(5)
    once = number("b", 500.0)
    assert verdicts([ours, once])["a"] == "tied"
    assert difference(ours, once).deviation == pytest.approx((5**2 + 30**2) ** 0.5)


def test_more_comparisons_ask_for_more() -> None:
    """b is z = 2.1 / 1 from the best, p = 0.036: resolved alone, not as one of two (Holm: 0.07)."""
    unit = 1 / 3**0.5
    moves = (unit, -unit, unit, -unit)
    best, b, c = number("a", 0.0), number("b", 2.1, moves), number("c", 2.2, moves)
    best = Number(**{**vars(best), "without_group": NOTHING})
    assert verdicts([best, b])["a"] == "best"
    assert verdicts([best, b, c]) == {"a": "tied", "b": "tied", "c": "tied"}


@pytest.mark.parametrize(("half", "verdict"), [(0.4, "best"), (0.6, "tied")])
def test_what_has_no_groups_is_resolved_where_intervals_do_not_overlap(half: float, verdict: str) -> None:
    assert verdicts([ungrouped("a", 1.0, half), ungrouped("b", 2.0, half)])["a"] == verdict


def test_the_best_of_two_that_are_tied_is_not_called_best() -> None:
    """The difference of a and b has deviation 40 sqrt(3) = 69; c moves as a does, so that it is resolved behind it."""
    found = verdicts([number("a", 100.0, COMMON), number("b", 101.0, [-x for x in COMMON]), number("c", 200.0, COMMON)])
    assert found == {"a": "tied", "b": "tied", "c": ""}


def test_a_second_that_is_tied_with_the_third_is_not_called_second() -> None:
    rows = [number("a", 1.0), number("b", 100.0, COMMON), number("c", 101.0, [-x / 2 for x in COMMON])]
    assert verdicts(rows) == {"a": "best", "b": "", "c": ""}


def test_equal_values_are_tied() -> None:
    found = verdicts([ungrouped(row, value, 0.0) for row, value in (("a", 1.0), ("b", 1.0), ("c", 2.0), ("d", 2.0))])
    assert list(found.values()) == ["tied", "tied", "", ""]


def test_different_yardsticks_are_not_ranked() -> None:
    assert verdicts([number("a", 1.0), number("b", 2.0, yardstick="i3d")]) == {}


def test_against_a_control_tells_better_worse_and_neither() -> None:
    """Deviations of the differences: 0, 0 and 20 sqrt(3) = 35 (z = 0.3)."""
    column = [number("a", 80.0), number("b", 130.0), number("c", 110.0, COMMON)]
    column.append(number("static", 100.0, kind="control"))
    assert against("static", column) == Against(better=("a",), worse=("b",), unresolved=("c",))


def test_against_a_control_that_was_not_measured_is_not_said() -> None:
    assert against("static", [number("a", 80.0), number("b", 130.0)]) is None
