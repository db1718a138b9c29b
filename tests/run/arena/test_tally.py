import pytest

from rdtf_bench.run.arena.plan import load
from rdtf_bench.run.arena.study import Study
from rdtf_bench.run.arena.tally import tally
from tests.arenas import RANKS, arena_of, ballot


def test_each_criterion_is_counted_by_its_own_votes() -> None:
    arena = arena_of(load("table5"))
    votes = ballot(arena, "Anna").votes
    reverse = {"Customize-A-Video": 1, "I2V-Adapter": 2, "SimDA": 3, "RDTF": 4}
    by_motion = [vote for vote in ballot(arena, "Anna", reverse).votes if vote.criterion == "motion"]
    mixed = tuple([vote for vote in votes if vote.criterion != "motion"] + by_motion)
    found = tally(Study(arena=arena, ballots=(ballot(arena, "Anna").model_copy(update={"votes": mixed}),)))
    values = {one.criterion.name: [row.value for row in one.rankings] for one in found}
    assert RANKS == {"Customize-A-Video": 4, "I2V-Adapter": 3, "SimDA": 1, "RDTF": 1}
    # the tied rows share the places 1 and 2, so that both have 5 - 1.5
    assert values == {"text": [1, 2, 3.5, 3.5], "interest": [1, 2, 3.5, 3.5], "motion": [4, 3, 2, 1]}
    assert [one.tied for one in found] == pytest.approx([1 / 6, 1 / 6, 0])


def test_raters_who_agree_have_an_alpha_of_1() -> None:
    arena = arena_of(load("table5"))
    found = tally(Study(arena=arena, ballots=tuple(ballot(arena, rater) for rater in "abc")))
    assert [one.alpha for one in found] == pytest.approx([1, 1, 1])
