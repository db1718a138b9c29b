"""Confidence intervals and paired tests by the delete-a-group jackknife.

The input is a score, and the same score without each group of clips. An interval covers the expected value of the score
at this number of clips, not at infinitely many. The module does not import torch, so that a table can be made from
records alone.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import variance

Z_95 = 1.959963984540054
"""97.5 % quantile of the standard normal distribution."""
Z_POWER = 0.8416212335729143
"""80 % quantile of the standard normal distribution: the power that `clips_to_resolve` plans for."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A value with its 95 % confidence interval and the two-sided p-value of the hypothesis that it is 0."""

    value: float
    deviation: float
    ci_low: float
    ci_high: float
    p: float


def deviation(without_group: Sequence[float]) -> float:
    """Return the jackknife standard deviation of a score from its values without each of the G groups.

    It is sqrt((G - 1) / G * sum of squares about the mean) (Kott 2001, eq. 2).

    >>> deviation([1.0, 2.0, 3.0])
    1.1547005383792515
    """
    count = len(without_group)
    if count < 2:
        raise ValueError(f"a deviation needs at least 2 groups, there are {count}")
    mean = math.fsum(without_group) / count
    return math.sqrt((count - 1) / count * math.fsum((value - mean) ** 2 for value in without_group))


def interval(value: float, without_group: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % confidence interval: the value plus and minus 1.96 jackknife standard deviations."""
    margin = Z_95 * deviation(without_group)
    return value - margin, value + margin


def estimate(value: float, without_group: Sequence[float]) -> Estimate:
    """Return a score with its 95 % confidence interval and its test against 0."""
    spread = deviation(without_group)
    low, high = interval(value, without_group)
    return Estimate(value=value, deviation=spread, ci_low=low, ci_high=high, p=_p_of(value, spread))


def difference(
    value: float, without_group: Sequence[float], *, minus: float, minus_without_group: Sequence[float]
) -> Estimate:
    """Return the paired difference of two rows; both must have left out the same groups in the same order."""
    if len(without_group) != len(minus_without_group):
        raise ValueError(f"rows of {len(without_group)} and {len(minus_without_group)} groups cannot be paired")
    pairs = zip(without_group, minus_without_group, strict=True)
    return estimate(value - minus, [ours - theirs for ours, theirs in pairs])


def with_seeds(found: Estimate, by_seed: Sequence[float]) -> Estimate:
    """Add the variance between training seeds to an estimate whose interval covers the clips alone.

    `found` is the estimate for the mean over seeds, `by_seed` the value of each seed. With few seeds their variance is
    itself uncertain. The interval and the test therefore use Student's t distribution with the degrees of freedom of
    Welch and Satterthwaite; the variance over clips comes from many groups and counts as known.
    """
    from scipy.special import stdtr, stdtrit  # most tables have one seed and need no scipy

    count = len(by_seed)
    between = variance(by_seed) / count
    if between == 0:
        return found
    total = found.deviation**2 + between
    freedom = (count - 1) * (total / between) ** 2
    spread, margin = math.sqrt(total), math.sqrt(total) * float(stdtrit(freedom, 0.975))
    p = 2 * float(stdtr(freedom, -abs(found.value) / spread))
    return Estimate(value=found.value, deviation=spread, ci_low=found.value - margin, ci_high=found.value + margin, p=p)


@dataclass(frozen=True, kw_only=True)
class Variance:
    """An estimated variance and its degrees of freedom."""

    value: float
    freedom: float


def student(value: float, *variances: Variance) -> Estimate:
    """Estimate a value by Student's t distribution; its p-value is that of the hypothesis that it is 0.

    The variance of the value is the sum of independent parts, with the degrees of freedom of Welch (1947) and
    Satterthwaite (1946). The normal distribution would be too short here: a test of many pairs reaches far into its
    tails.
    """
    from scipy.special import stdtr, stdtrit

    total = math.fsum(part.value for part in variances)
    if total == 0:
        return Estimate(value=value, deviation=0.0, ci_low=value, ci_high=value, p=1.0 if value == 0 else 0.0)
    freedom = 1 / math.fsum((part.value / total) ** 2 / part.freedom for part in variances if part.value > 0)
    deviation = math.sqrt(total)
    half = float(stdtrit(freedom, 0.975)) * deviation
    p = 2 * float(stdtr(freedom, -abs(value) / deviation))
    return Estimate(value=value, deviation=deviation, ci_low=value - half, ci_high=value + half, p=p)


def clips_to_resolve(difference: float, *, deviation: float, n: int) -> int:
    """Return the number of clips at which a paired test at 5 % detects the difference with a power of 80 %.

    `deviation` is the standard deviation of the difference, measured at `n` clips; it falls with the square root of the
    number of clips. The formula is the normal approximation n ((z_0.975 + z_0.8) deviation / difference)^2 (Chow, Shao
    and Wang 2008, sec. 3.1).

    >>> clips_to_resolve(2.8, deviation=1.0, n=100)
    101
    """
    if difference == 0:
        raise ValueError("no number of clips resolves a difference of 0")
    return math.ceil(n * ((Z_95 + Z_POWER) * deviation / difference) ** 2)


def two_sided_p(z: float) -> float:
    """Return the probability that a standard normal variable is at least as far from 0 as `z`.

    >>> round(two_sided_p(1.959963984540054), 12)
    0.05
    """
    return math.erfc(abs(z) / math.sqrt(2))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the p-values adjusted for multiple tests (Holm 1979), in the order given.

    An adjusted value below 0.05 is significant at a family-wise error rate of 5 %.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def _p_of(value: float, spread: float) -> float:
    if spread > 0:
        return two_sided_p(value / spread)
    return 1.0 if value == 0 else 0.0
