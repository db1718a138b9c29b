import numpy as np
import pytest
import torch
from jaxtyping import Float
from scipy.optimize import minimize
from scipy.stats import rankdata

from rdtf_bench.core.seeds import generator_for
from rdtf_bench.metrics.rankings import (
    agreement,
    average_user_ranking,
    fitted_strengths,
    ordinal_alpha,
    strengths,
    tied_share,
    tied_with_the_best,
)
from tests.benchmarks.ranking_coverage import STUDIES, Study, calls_one_worse, covered, expected, simulated

NAN = float("nan")
TWO_RATERS = np.array([[[1.0, 2, 3], [1, 2, 3]], [[2, 1, 3], [1, 1, 3]]])


def test_the_average_user_ranking_is_that_worked_out_by_hand() -> None:
    """N + 1 - rank is 3 2 1, 3 2 1, 2 3 1 and, with a shared place, 2.5 2.5 1."""
    found = average_user_ranking(TWO_RATERS)
    assert [one.value for one in found] == pytest.approx([10.5 / 4, 9.5 / 4, 1.0], abs=1e-12)


def test_the_interval_is_that_of_an_analysis_of_variance() -> None:
    """The jackknife of a mean gives the variance components of a two-way layout, one value per rater and clip."""
    ranks = simulated(STUDIES[3], generator_for("ranks"))
    points = 5 - ranks
    raters, clips, _ = points.shape
    by_rater, by_clip, mean = points.mean(1), points.mean(0), points.mean((0, 1))
    ms_rater = clips * ((by_rater - mean) ** 2).sum(0) / (raters - 1)
    ms_clip = raters * ((by_clip - mean) ** 2).sum(0) / (clips - 1)
    noise = ((points - by_rater[:, None] - by_clip + mean) ** 2).sum((0, 1)) / ((raters - 1) * (clips - 1))
    by_hand = np.sqrt((ms_rater + ms_clip - noise) / (raters * clips))
    assert (ms_rater > noise).all()  # else the variance between raters would be set to 0
    assert (ms_clip > noise).all()
    for one, deviation in zip(average_user_ranking(ranks), by_hand, strict=True):
        assert one.interval is not None
        half = (one.interval[1] - one.interval[0]) / 2
        # the quantile of Student's t lies between those of infinitely many and of 19 degrees of freedom
        assert 1.959 * deviation < half < 2.094 * deviation


@pytest.mark.parametrize("study", [STUDIES[0], STUDIES[3]], ids=["without ties", "with ties"])
def test_intervals_of_simulated_raters_hold_the_known_value_in_95_of_100_studies(study: Study) -> None:
    random = generator_for("coverage")
    share, _ = covered(study, 250, random, expected(study, random))
    # 250 studies of 4 rows: the standard error of the share is about 1 %
    assert 0.92 < share < 0.98


def test_a_single_rater_or_clip_has_values_without_intervals() -> None:
    assert [one.interval for one in average_user_ranking(TWO_RATERS[:1])] == [None] * 3
    assert [one.interval for one in strengths(TWO_RATERS[:, :1])] == [None] * 3


def test_a_row_that_is_resolved_from_the_best_is_not_tied_with_it() -> None:
    """Two rows share the best places at random, and the third row is the last for all but one rater."""
    raters = [[[1.0, 2, 3], [2, 1, 3]]] * 3 + [[[2.0, 1, 3], [1, 2, 3]]] * 3 + [[[1.0, 3, 2], [2, 1, 3]]]
    assert tied_with_the_best(np.array(raters)) == [True, True, False]
    assert tied_with_the_best(np.array(raters)[..., ::-1]) == [False, True, True]
    assert tied_with_the_best(TWO_RATERS[:1]) is None


def test_rows_that_differ_for_all_raters_and_clips_alike_are_resolved() -> None:
    ranks = np.broadcast_to(np.array([2.0, 1.0, 3.0]), (4, 5, 3))
    assert tied_with_the_best(ranks) == [False, True, False]
    assert tied_with_the_best(np.ones((4, 5, 3))) == [True, True, True]


def test_equal_rows_are_called_worse_in_at_most_5_of_100_studies() -> None:
    share = calls_one_worse(STUDIES[0], 400, generator_for("equal rows"))
    # the standard error of 5 % is 1.1 % with 400 studies
    assert share < 0.075


def test_raters_who_agree_in_everything_have_an_interval_of_no_length() -> None:
    ranks = np.broadcast_to(np.array([2.0, 1.0, 3.0]), (4, 5, 3))
    assert [one.interval for one in average_user_ranking(ranks)] == [(2, 2), (3, 3), (1, 1)]


def test_two_rows_have_the_strengths_of_their_odds() -> None:
    """Expect plus and minus half of log 3: with 3 wins of 4, the odds are 3."""
    found = fitted_strengths(np.array([[0.0, 3.0], [1.0, 0.0]]))
    assert found == pytest.approx([np.log(3) / 2, -np.log(3) / 2], abs=1e-9)


def test_strengths_are_those_of_a_general_optimiser() -> None:
    wins = np.array([[0, 7, 2.5, 9], [3, 0, 4, 6], [7.5, 6, 0, 8], [1, 4, 2, 0]])

    def loss(found: Float[np.ndarray, " N"]) -> float:
        return float((wins * np.logaddexp(0, found[None, :] - found[:, None])).sum())

    best = minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-8}).x
    assert fitted_strengths(wins) == pytest.approx(best - best.mean(), abs=1e-5)


def test_strengths_of_simulated_raters_are_near_the_known_ones() -> None:
    random = generator_for("strengths")
    ranks = np.concatenate([simulated(STUDIES[5], random) for _ in range(20)], axis=1)
    # 4,000 rankings of the model of Plackett and Luce, whose pairs follow Bradley and Terry; a deviation is about 0.03
    assert [one.value for one in strengths(ranks)] == pytest.approx([-0.5, -0.1, 0.1, 0.5], abs=0.1)


def test_a_row_that_always_wins_has_a_finite_strength() -> None:
    ranks = np.broadcast_to(np.arange(1.0, 5), (20, 50, 4))
    values = [one.value for one in strengths(ranks)]
    assert np.isfinite(values).all()
    assert values == sorted(values, reverse=True)


def test_strengths_that_only_the_added_ties_decide_have_no_interval() -> None:
    ranks = np.array([[[1.0, 2, 3], [1, 3, 2]], [[1, 2, 3], [1, 2, 3]]])
    assert [one.interval for one in strengths(ranks)] == [None] * 3
    once = np.concatenate([ranks, np.array([[[2.0, 1, 3], [1, 2, 3]]])])
    assert all(one.interval is not None for one in strengths(once))


def test_alpha_is_the_published_one() -> None:
    """Krippendorff (2011), "Computing Krippendorff's alpha-reliability", example D: 4 observers, 12 units, 0.815."""
    ratings = np.array(
        [
            [1, 2, 3, 3, 2, 1, 4, 1, 2, NAN, NAN, NAN],
            [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, NAN, 3],
            [NAN, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, NAN],
            [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, NAN],
        ]
    )
    assert ordinal_alpha(ratings) == pytest.approx(0.815, abs=5e-4)  # printed with three digits


def test_agreement_is_1_of_equal_raters_and_near_0_of_random_ones() -> None:
    same = np.broadcast_to(simulated(STUDIES[0], generator_for("one"))[:1], (5, 20, 4))
    assert agreement(same) == pytest.approx(1.0)
    noise = rankdata(torch.rand(30, 40, 4, generator=generator_for("noise")).numpy(), axis=-1)
    assert agreement(noise) == pytest.approx(0.0, abs=0.05)


def test_agreement_needs_two_raters_and_ranks_that_differ() -> None:
    assert agreement(TWO_RATERS[:1]) is None
    assert agreement(np.ones((3, 4, 2))) is None


def test_ties_are_a_share_of_the_pairs() -> None:
    assert tied_share(TWO_RATERS) == pytest.approx(1 / 12)
