"""Best, second and resolved, each worked out by hand."""

from dataclasses import replace
from itertools import combinations

import pytest

from rdtf_bench.report.table.rows import Number, difference
from rdtf_bench.report.table.verdicts import Against, against, differences, p_values, verdicts
from tests.benchmarks import family_error
from tests.report.numbers import COMMON, number


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


def test_the_pairs_behind_the_best_count_too_because_the_data_chose_it() -> None:
    """b and c are t = 4.6 and 4.7 from the best, with 3 degrees of freedom: p = 0.019 and 0.018. Doubled, as if the
    best had been known, both are below 0.05; tripled, for the three pairs, they are not. b and c differ by t = 0.05."""
    unit = 1 / 3**0.5
    b = number("b", 4.6, (unit, -unit, unit, -unit))
    c = number("c", 4.7, (-unit, unit, -unit, unit))
    assert verdicts([number("a", 0.0), b])["a"] == "best"
    assert verdicts([number("a", 0.0), b, c]) == {"a": "tied", "b": "tied", "c": "tied"}


def test_a_row_is_called_worse_in_few_columns_of_equal_rows() -> None:
    """5 % of 60 columns are 3; a true rate of 5 % gives more than 6 in 3 % of the cases, and 17 % as a rule."""
    columns = list(family_error.tables(60, rows=10))
    assert sum(map(family_error.calls_one_worse, columns)) <= 6
    assert sum(map(family_error.called_one_worse_with_the_best_fixed, columns)) > 6


def test_seeds_that_agree_by_chance_do_not_resolve_a_pair() -> None:
    """a and b have t = infinity over their own two seeds, whose differences are equal. The other pairs say that seeds
    move differences by 6 or more."""
    a, b, c, d = (
        replace(number(row, sum(values) / 2), seeds=(0, 1), by_seed=values)
        for row, values in (("a", (1.0, 5.0)), ("b", (2.0, 6.0)), ("c", (13.0, 5.0)), ("d", (5.0, 13.0)))
    )
    assert verdicts([a, b])["a"] == "best"
    assert verdicts([a, b, c, d])["b"] == "tied"
    pairs = list(combinations((a, b, c, d), 2))
    for found, p in zip(differences(pairs), p_values(pairs), strict=True):
        assert (found.ci_low <= 0 <= found.ci_high) == (p >= 0.05)
    assert differences(pairs)[0].ci_high > 0 > differences(pairs[:1])[0].ci_high


def test_a_better_row_is_found_among_ten() -> None:
    columns = list(family_error.tables(20, rows=10, shift=8.0))
    assert sum(map(family_error.behind_the_first, columns)) / len(columns) > 0.95


@pytest.mark.parametrize(("half", "verdict"), [(0.4, "best"), (0.6, "tied")])
def test_what_has_no_groups_is_resolved_where_intervals_do_not_overlap(half: float, verdict: str) -> None:
    assert verdicts([ungrouped("a", 1.0, half), ungrouped("b", 2.0, half)])["a"] == verdict


def test_the_best_of_two_that_are_tied_is_not_called_best() -> None:
    """The difference of a and b has deviation 40 sqrt(3) = 69; c moves as a does, so that it is resolved behind it."""
    found = verdicts([number("a", 100.0, COMMON), number("b", 101.0, [-x for x in COMMON]), number("c", 200.0, COMMON)])
    assert found == {"a": "tied", "b": "tied", "c": ""}


def test_a_second_that_is_tied_with_the_third_is_not_called_second() -> None:
    rows = [number("a", 1.0), number("b", 1000.0, COMMON), number("c", 1001.0, [-x / 2 for x in COMMON])]
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
