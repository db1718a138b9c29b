import math
from statistics import NormalDist, stdev

import pytest

from rdtf_bench.core.intervals import Variance, deviation, difference, estimate, holm, interval, student, two_sided_p


def test_deviation_of_a_mean_is_its_standard_error() -> None:
    # for a mean with one clip a group the jackknife is exact: s / sqrt(n)
    clips = [0.3, 1.7, 2.2, -0.4, 5.0]
    without = [(sum(clips) - clip) / 4 for clip in clips]
    assert deviation(without) == pytest.approx(stdev(clips) / math.sqrt(5), rel=1e-12)


def test_interval_is_the_value_itself_plus_and_minus_two_deviations() -> None:
    low, high = interval(10.0, [9.0, 11.0])
    # deviation sqrt(1/2 * 2) = 1; the value, not the mean of the others, is the centre
    assert (low, high) == pytest.approx((8.04, 11.96), abs=1e-4)


def test_a_paired_difference_loses_what_both_rows_share() -> None:
    shared = [1.0, 4.0, 2.0, 3.0]
    ours, theirs = [5 + x for x in shared], [4 + x for x in shared]
    found = difference(8.0, ours, minus=7.0, minus_without_group=theirs)
    assert (found.value, found.deviation, found.p) == (1.0, 0.0, 0.0)
    assert deviation(ours) > 1


def test_difference_against_pencil_and_paper() -> None:
    # pairs differ by 1 and 3: mean 2, squares 2, half of it: deviation 1
    found = difference(3.0, [2.0, 5.0], minus=1.0, minus_without_group=[1.0, 2.0])
    assert (found.value, found.deviation) == (2.0, 1.0)
    assert found.p == pytest.approx(0.0455, abs=1e-4)
    assert (found.ci_low, found.ci_high) == pytest.approx((0.04, 3.96), abs=1e-4)


def test_rows_of_other_groups_cannot_be_paired() -> None:
    with pytest.raises(ValueError, match="3 and 2 groups"):
        difference(1.0, [1.0, 1.0, 1.0], minus=1.0, minus_without_group=[1.0, 1.0])


def test_one_group_has_no_deviation() -> None:
    with pytest.raises(ValueError, match="at least 2"):
        deviation([1.0])


def test_equal_rows_are_not_different() -> None:
    assert difference(2.0, [1.0, 3.0], minus=2.0, minus_without_group=[1.0, 3.0]).p == 1.0


@pytest.mark.parametrize("z", [0.0, 0.5, -1.3, 2.7, 6.0])
def test_p_agrees_with_the_normal_distribution(z: float) -> None:
    # cdf cancels near 1, hence the absolute tolerance
    assert two_sided_p(z) == pytest.approx(2 * (1 - NormalDist().cdf(abs(z))), abs=1e-15)


def test_estimate_is_resolved_where_its_interval_excludes_zero() -> None:
    for value in (1.9, 2.0):
        found = estimate(value, [0.0, 2.0])  # deviation 1
        assert (found.p < 0.05) == (found.ci_low > 0) == (value == 2.0)


def test_holm_against_a_worked_example() -> None:
    # sorted .005 .01 .03 .04: times 4 3 2 1 = .02 .03 .06 .04, then never falling
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_student_against_tables() -> None:
    # two-sided 5 % points of Student's t: 12.706 (1), 2.228 (10); the deviation here is 2
    for freedom, quantile in ((1.0, 12.706), (10.0, 2.228)):
        assert student(2 * quantile, Variance(value=4.0, freedom=freedom)).p == pytest.approx(0.05, abs=1e-4)


def test_the_ends_of_an_interval_are_at_the_five_percent_point() -> None:
    parts = Variance(value=1.0, freedom=4.0), Variance(value=3.0, freedom=2.0)
    found = student(7.0, *parts)
    assert found.deviation == 2.0
    assert student(7.0 - found.ci_low, *parts).p == pytest.approx(0.05)
    assert student(7.0 - found.ci_high, *parts).p == pytest.approx(0.05)


def test_two_variances_have_the_degrees_of_freedom_of_welch_and_satterthwaite() -> None:
    # 1 with 4 and 3 with 2: 16 / (1 / 4 + 9 / 2) = 3.368
    parts = Variance(value=1.0, freedom=4.0), Variance(value=3.0, freedom=2.0)
    assert student(4.0, *parts).p == pytest.approx(student(4.0, Variance(value=4.0, freedom=16 / 4.75)).p)


def test_a_difference_without_variance_is_certain() -> None:
    assert student(1.0, Variance(value=0.0, freedom=3.0)).p == 0.0
    assert student(0.0, Variance(value=0.0, freedom=3.0)).p == 1.0
