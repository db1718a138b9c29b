"""Statistics of a user study in which raters rank the same rows for the same clips. No torch.

Rankings are arrays of raters, clips and rows (R, B, N). Rank 1 is the best; rows of equal rank are tied.

An interval treats raters and clips as samples of larger populations. Its variance is that of a jackknife over raters
plus that of a jackknife over clips, minus the noise of single rankings that both of them contain. The bootstrap that
draws raters and clips at once contains that noise three times (Owen 2007, "The pigeonhole bootstrap"), so that its
intervals are too long: `tests/benchmarks/ranking_coverage.py` measures both.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.sparse.csgraph import connected_components
from scipy.special import expit, stdtr, stdtrit
from scipy.stats import rankdata

from rdtf_bench.core import intervals

NEWTON_STEPS = 100
PRIOR_TIES = 1.0
"""Number of ties that are added to each pair of rows, so that a row that always wins has a finite strength."""

Statistic = Callable[[Float[np.ndarray, "*A N N"]], Float[np.ndarray, "*A V"]]
"""Maps the shares of comparisons that rows win to values (V), such as one for each row."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The value of one row and its 95 % confidence interval, which is None where it cannot be estimated."""

    value: float
    interval: tuple[float, float] | None


def average_user_ranking(ranks: Float[np.ndarray, "R B N"]) -> list[Estimate]:
    """Return the mean of N + 1 - rank of each row: N for a row that is always ranked first alone, 1 for the last.

    Tied rows share the mean of their places, so that the values of all rows always have the mean (N + 1) / 2.
    """
    rows = ranks.shape[-1]
    found = _estimates(ranks, lambda wins: 1 + wins.sum(-1))
    within = [None if one.interval is None else tuple(np.clip(one.interval, 1, rows).tolist()) for one in found]
    return [Estimate(value=one.value, interval=interval) for one, interval in zip(found, within, strict=True)]


def tied_with_the_best(ranks: Float[np.ndarray, "R B N"]) -> list[bool] | None:
    """Return for each row whether its average user ranking is the highest, or not resolved from the highest.

    All pairs of rows are tested on the same rankings at 5 %, corrected by Holm's method, because the best row is picked
    from the data. Returns None where there is a single rater or clip.
    """
    tested = p_values(ranks)
    if tested is None:
        return None
    best = int(_wins(ranks).mean((0, 1)).sum(-1).argmax())
    corrected = zip(tested, intervals.holm(list(tested.values())), strict=True)
    worse = {i + j - best for (i, j), p in corrected if best in (i, j) and p < 0.05}
    return [row not in worse for row in range(ranks.shape[-1])]


def p_values(ranks: Float[np.ndarray, "R B N"]) -> dict[tuple[int, int], float] | None:
    """Return the p-value of the difference of each two rows in their average user ranking, the first row first.

    They are two-sided and not corrected for their number. Returns None where there is a single rater or clip.
    """
    raters, clips, rows = ranks.shape
    if raters < 2 or clips < 2:
        return None
    first, second = np.triu_indices(rows, k=1)
    found = _spread(_wins(ranks), lambda shares: shares.sum(-1)[..., first] - shares.sum(-1)[..., second])
    return dict(zip(zip(first.tolist(), second.tolist(), strict=True), found.p_values.tolist(), strict=True))


def strengths(ranks: Float[np.ndarray, "R B N"]) -> list[Estimate]:
    """Return the strength of each row in the model of Bradley and Terry (1952), as log odds with the mean 0.

    The odds that a row is ranked before another one are exp(difference of their strengths). A ranking counts as one
    comparison of each pair, and a tie as half a win of both. There are no intervals where some rows never lose to the
    others (Ford 1957): then the added ties alone decide how large their strengths are.
    """
    raters, clips, _ = ranks.shape
    prior = PRIOR_TIES / 2 / (raters * clips)
    found = _estimates(ranks, lambda wins: fitted_strengths(wins + prior))
    groups, _ = connected_components(_wins(ranks).sum((0, 1)) > 0, directed=True, connection="strong")
    return found if groups == 1 else [Estimate(value=one.value, interval=None) for one in found]


def fitted_strengths(wins: Float[np.ndarray, "*A N N"]) -> Float[np.ndarray, "*A N"]:
    """Return the strengths of largest likelihood for these numbers of wins of a row (N) over another one (N).

    Newton's method; the likelihood is concave. The diagonal is ignored.
    """
    rows = wins.shape[-1]
    wins = wins * (1 - np.eye(rows))
    games = wins + wins.swapaxes(-1, -2)
    found = np.zeros(wins.shape[:-1])
    for _ in range(NEWTON_STEPS):
        expected = expit(found[..., :, None] - found[..., None, :])
        gradient = (wins - games * expected).sum(-1)
        curvature = games * expected * (1 - expected)
        # adding 1 everywhere keeps the mean of the strengths at 0, which the likelihood leaves open
        hessian = curvature.sum(-1)[..., None] * np.eye(rows) - curvature + 1.0
        step = np.linalg.solve(hessian, gradient[..., None])[..., 0]
        found = found + step
        if np.abs(step).max() < 1e-10:
            break
    return found


def tied_share(ranks: Float[np.ndarray, "R B N"]) -> float:
    """Return the share of the pairs of rows that raters tied, over all rankings."""
    first, second = np.triu_indices(ranks.shape[-1], k=1)
    return float((ranks[..., first] == ranks[..., second]).mean())


def agreement(ranks: Float[np.ndarray, "R B N"]) -> float | None:
    """Return Krippendorff's alpha between the raters' ranks of each row of each clip; None for a single rater."""
    placed = rankdata(ranks, axis=-1)
    return ordinal_alpha(placed.reshape(len(ranks), -1))


def ordinal_alpha(ratings: Float[np.ndarray, "R U"]) -> float | None:
    """Return Krippendorff's alpha for ordinal data: 1 is perfect agreement, 0 that of chance.

    `ratings` has one row per rater and one column per rated unit (U); NaN is a missing rating. Returns None where fewer
    than two raters rated a unit, or where all ratings are equal. Source: Krippendorff (2011), "Computing Krippendorff's
    alpha-reliability", section C.
    """
    values = np.unique(ratings[~np.isnan(ratings)])
    counts = (ratings[:, :, None] == values).sum(0).astype(float)  # units by values
    counts = counts[counts.sum(1) >= 2]
    if not len(counts) or len(values) < 2:
        return None
    pairs = counts[:, :, None] * counts[:, None, :] - counts[:, :, None] * np.eye(len(values))
    coincidences = (pairs / (counts.sum(1) - 1)[:, None, None]).sum(0)
    totals = coincidences.sum(0)
    middles = totals.cumsum() - totals / 2
    distances = (middles[:, None] - middles) ** 2
    by_chance = (np.outer(totals, totals) * distances).sum() / (totals.sum() - 1)
    return float(1 - (coincidences * distances).sum() / by_chance) if by_chance else None


def _estimates(ranks: Float[np.ndarray, "R B N"], statistic: Statistic) -> list[Estimate]:
    raters, clips, _ = ranks.shape
    wins = _wins(ranks)
    values = statistic(wins.mean((0, 1)))
    if raters < 2 or clips < 2:
        return [Estimate(value=value, interval=None) for value in values.tolist()]
    margins = _spread(wins, statistic).margins
    bounds = zip(values.tolist(), (values - margins).tolist(), (values + margins).tolist(), strict=True)
    return [Estimate(value=value, interval=(low, high)) for value, low, high in bounds]


def _wins(ranks: Float[np.ndarray, "R B N"]) -> Float[np.ndarray, "R B N N"]:
    """Return 1 where a row is ranked before another one, 0.5 where both are tied, and 0 on the diagonal."""
    ours, others = ranks[..., :, None], ranks[..., None, :]
    return (ours < others) + 0.5 * (ours == others) - 0.5 * np.eye(ranks.shape[-1])


@dataclass(frozen=True, kw_only=True)
class _Spread:
    """Values with their variances and the degrees of freedom of these, by Welch and Satterthwaite."""

    values: Float[np.ndarray, " V"]
    variance: Float[np.ndarray, " V"]
    freedom: Float[np.ndarray, " V"]

    @property
    def margins(self) -> Float[np.ndarray, " V"]:
        """Half the lengths of the 95 % intervals."""
        return stdtrit(self.freedom, 0.975) * np.sqrt(self.variance)

    @property
    def p_values(self) -> Float[np.ndarray, " V"]:
        """Two-sided p-values of the hypothesis that a value is 0."""
        certain = np.where(self.values == 0, 1.0, 0.0)
        spread = np.sqrt(np.where(self.variance > 0, self.variance, 1.0))
        return np.where(self.variance > 0, 2 * stdtr(self.freedom, -np.abs(self.values) / spread), certain)


def _spread(wins: Float[np.ndarray, "R B N N"], statistic: Statistic) -> _Spread:
    """Return the values of a statistic with their variances over raters and clips.

    Where raters (or clips) differ by less than the noise of single rankings explains, the noise alone is counted.
    """
    raters, clips = wins.shape[:2]
    total, of_rater, of_clip = wins.sum((0, 1)), wins.sum(1), wins.sum(0)
    without_rater = statistic((total - of_rater) / ((raters - 1) * clips))
    without_clip = statistic((total - of_clip) / (raters * (clips - 1)))
    neither = total - of_rater[:, None] - of_clip + wins
    without_both = statistic(neither / ((raters - 1) * (clips - 1)))
    over_raters = (raters - 1) / raters * _squares(without_rater)
    over_clips = (clips - 1) / clips * _squares(without_clip)
    free = (raters - 1) * (clips - 1)
    centred = without_both - without_both.mean(0) - without_both.mean(1)[:, None] + without_both.mean((0, 1))
    noise = free / (raters * clips) * (centred**2).sum((0, 1))
    r, c = over_raters > noise, over_clips > noise
    variance = r * over_raters + c * over_clips + (1.0 - r - c) * noise
    parts = r * over_raters**2 / (raters - 1) + c * over_clips**2 / (clips - 1) + (1.0 - r - c) ** 2 * noise**2 / free
    freedom = np.divide(variance**2, parts, out=np.ones_like(parts), where=parts > 0)
    return _Spread(values=statistic(wins.mean((0, 1))), variance=variance, freedom=freedom)


def _squares(values: Float[np.ndarray, "G V"]) -> Float[np.ndarray, " V"]:
    return ((values - values.mean(0)) ** 2).sum(0)
