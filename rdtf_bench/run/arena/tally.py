"""Counts the votes of a study. No torch."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from rdtf_bench.metrics import rankings
from rdtf_bench.metrics.rankings import Estimate
from rdtf_bench.run.arena.study import Study
from rdtf_bench.spec.schema import Criterion


@dataclass(frozen=True, kw_only=True)
class Tally:
    """The rows of a study by one criterion. Estimates are in the order of the rows."""

    criterion: Criterion
    rankings: list[Estimate]  # average user ranking
    tied_with_the_best: list[bool] | None  # None where there is a single rater or clip
    p_values: dict[tuple[int, int], float] | None  # of the differences of two rows; None likewise
    strengths: list[Estimate]  # of Bradley and Terry, log odds
    alpha: float | None  # agreement of the raters, Krippendorff's alpha
    tied: float  # share of the pairs of rows


def tally(study: Study) -> list[Tally]:
    """Return one tally for each criterion."""
    return [
        Tally(
            criterion=criterion,
            rankings=rankings.average_user_ranking(ranks),
            tied_with_the_best=rankings.tied_with_the_best(ranks),
            p_values=rankings.p_values(ranks),
            strengths=rankings.strengths(ranks),
            alpha=rankings.agreement(ranks),
            tied=rankings.tied_share(ranks),
        )
        for criterion in study.arena.criteria
        for ranks in [_ranks(study, criterion.name)]
    ]


def _ranks(study: Study, criterion: str) -> Float[np.ndarray, "R B N"]:
    arena = study.arena
    by_rater = []
    for ballot in study.ballots:
        given = {vote.clip: vote.ranks for vote in ballot.votes if vote.criterion == criterion}
        by_rater.append([[given[clip.id][clip.keys[row]] for row in arena.rows] for clip in arena.clips])
    return np.array(by_rater, dtype=float)
