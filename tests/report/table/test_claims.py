"""Verdicts on the paper's orderings; the numbers are planted, so each test can be worked out by hand."""

import csv
import io
import json
from dataclasses import replace
from statistics import fmean

import pytest

from rdtf_bench.core import intervals
from rdtf_bench.report.table.claims import Judged, judge, of_costs, of_study, of_table, overview, render
from rdtf_bench.report.table.rows import Number
from rdtf_bench.run.arena.plan import load as load_arena
from rdtf_bench.run.arena.study import Study
from rdtf_bench.run.costs.record import CostRecord, Measured
from rdtf_bench.spec.claims import Claim, ClaimSet, Side
from rdtf_bench.spec.schema import PaperValue
from tests.arenas import arena_of, ballot
from tests.report.numbers import NOTHING, number

GROUPS = tuple(float(place) for place in range(-20, 21))
"""Moves of 41 groups; their jackknife deviation is sqrt(40 / 41 * 2 * (1 + 4 + ... + 400)) = 74.8."""


def side(row: str, value: str) -> Side:
    return Side(row=row, paper=PaperValue(value=value, source="by hand"))


def claims(*pairs: tuple[str, str], metric: str = "fvd") -> ClaimSet:
    stated = tuple(Claim(metric=metric, better=side(one, "1.0"), worse=side(other, "2.0")) for one, other in pairs)
    return ClaimSet(name="table1", title="", protocol="table", source="", claims=stated)


def moved(row: str, value: float, share: float = 1.0) -> Number:
    return number(row, value, tuple(share * move for move in GROUPS))


def verdict(better: float, worse: float) -> Judged:
    """Judge the claim that A is better than B by an FVD, whose paired difference has a deviation of 74.8."""
    (judged,) = judge(claims(("A", "B")), [moved("A", better, 2.0), moved("B", worse)])
    return judged


@pytest.mark.parametrize(
    ("better", "worse", "said"),
    [(1000.0, 1300.0, "confirmed"), (1300.0, 1000.0, "contradicted"), (1000.0, 1100.0, "undecided")],
)
def test_a_resolved_difference_confirms_or_contradicts(better: float, worse: float, said: str) -> None:
    assert verdict(better, worse).verdict == said


def test_where_nothing_is_resolved_the_number_of_clips_is_told_that_would() -> None:
    deviation = intervals.deviation(GROUPS)
    assert deviation == pytest.approx(74.8, abs=0.1)
    wanted = intervals.clips_to_resolve(100.0, deviation=deviation, n=128)
    assert verdict(1000.0, 1100.0).n_to_decide == wanted
    assert verdict(1000.0, 1300.0).n_to_decide is None


def test_no_number_of_clips_decides_equal_numbers() -> None:
    judged = verdict(1000.0, 1000.0)
    assert (judged.verdict, judged.n_to_decide) == ("undecided", None)


def test_p_values_are_adjusted_for_all_claims_of_the_table() -> None:
    numbers = [moved("A", 1000.0, 2.0), moved("B", 1300.0), moved("C", 1310.0, 0.0)]
    alone, *_ = judge(claims(("A", "B")), numbers)
    together = judge(claims(("A", "B"), ("A", "C"), ("B", "C")), numbers)
    assert alone.p_adjusted is not None
    assert together[0].p_adjusted == pytest.approx(3 * alone.p_adjusted)  # Holm: the smallest of three
    assert [one.claim.worse.row for one in together] == ["B", "C", "C"]


def test_a_higher_score_is_better_where_the_metric_says_so() -> None:
    numbers = [replace(one, higher_is_better=True) for one in (moved("A", 1300.0, 2.0), moved("B", 1000.0))]
    (judged,) = judge(claims(("A", "B")), numbers)
    assert judged.verdict == "confirmed"


def test_a_row_that_is_missing_or_has_another_yardstick_is_not_run() -> None:
    one = moved("A", 1000.0)
    for others in ([], [replace(moved("B", 1300.0), yardstick="another")]):
        (judged,) = judge(claims(("A", "B")), [one, *others])
        assert (judged.verdict, judged.pair) == ("not run", None)


def test_costs_are_resolved_by_their_intervals_in_the_first_precision() -> None:
    def seconds(row: str, value: float, yardstick: str) -> Measured:
        named = {"label": row, "method": row, "metric": "seconds", "yardstick": yardstick}
        return Measured(**named, value=value, ci_low=value - 0.2, ci_high=value + 0.2, n=3)

    rows = (seconds("A", 1.0, "fp32"), seconds("B", 1.5, "fp32"), seconds("C", 1.1, "fp32"), seconds("A", 9.0, "bf16"))
    made = CostRecord(protocol="table8", version=1, rows=rows, readings=(), environment={}, seconds=1.0, created="")
    judged = judge(claims(("A", "B"), ("A", "C"), metric="seconds"), of_costs(made))
    assert [(one.verdict, one.p_adjusted, one.n_to_decide) for one in judged] == [
        ("confirmed", None, None),
        ("undecided", None, None),
    ]
    assert of_costs(None) == []


def test_numbers_are_written_with_the_digits_that_tell_them_apart() -> None:
    def written(a: float, b: float) -> str:
        pair = [replace(moved(row, value), metric="params") for row, value in (("A", a), ("B", b))]
        return render(judge(claims(("A", "B"), metric="params"), pair), scales={}, format="text")

    assert "0.9601 B : 1.445 B" in written(960_112_345.0, 1_444_912_345.0)
    assert "1.4449 B : 1.445 B" in written(1_444_912_345.0, 1_444_962_345.0)
    assert "1.4449123 B : 1.4449123 B" in written(1_444_912_345.0, 1_444_912_345.0)


def test_every_format_holds_every_verdict() -> None:
    judged = judge(claims(("A", "B"), ("B", "C")), [moved("A", 1000.0, 2.0), moved("B", 1300.0)])
    text = render(judged, scales={}, format="text")
    assert "2 claims: 1 confirmed, 0 contradicted, 0 undecided, 1 not run." in text
    assert "A better than B" in render(judged, scales={}, format="md")
    raw = json.loads(render(judged, scales={}, format="json"))
    assert [row["verdict"] for row in raw] == ["confirmed", "not run"]
    assert (raw[0]["paper_better"], raw[0]["ours_better"], raw[1]["ours_better"]) == (1.0, 1000.0, None)
    lines = list(csv.DictReader(io.StringIO(render(judged, scales={}, format="csv"))))
    assert [line["verdict"] for line in lines] == ["confirmed", "not run"]


def test_groups_that_never_move_resolve_every_difference() -> None:
    (judged,) = judge(claims(("A", "B")), [number("A", 1.0, NOTHING), number("B", 2.0, NOTHING)])
    assert (judged.verdict, judged.p_adjusted) == ("confirmed", 0.0)


def test_where_the_clips_are_enough_more_seeds_are_asked_for() -> None:
    def seeded(row: str, *by_seed: float) -> Number:
        return replace(moved(row, fmean(by_seed), 0.01), seeds=(0, 1), by_seed=by_seed)

    (judged,) = judge(claims(("A", "B")), [seeded("A", 900.0, 1100.0), seeded("B", 1300.0, 1000.0)])
    assert (judged.verdict, judged.n_to_decide, judged.needs_seeds) == ("undecided", None, True)
    assert "more seeds" in render([judged], scales={}, format="text")
    assert not verdict(1000.0, 1100.0).needs_seeds


def test_clips_are_not_counted_where_the_variation_between_seeds_hides_the_difference() -> None:
    def undecided(*of_b: float) -> Judged:
        one, other = moved("A", 1000.0, 2.0), moved("B", fmean(of_b))
        seeded = [replace(one, seeds=(0, 1), by_seed=(1000.0, 1000.0)), replace(other, seeds=(0, 1), by_seed=of_b)]
        (judged,) = judge(claims(("A", "B")), seeded)
        return judged

    steady, unsteady = undecided(1049.0, 1051.0), undecided(900.0, 1200.0)  # both differ from A by 50
    assert (steady.verdict, steady.needs_seeds) == ("undecided", False)
    assert steady.n_to_decide == verdict(1000.0, 1050.0).n_to_decide
    assert (unsteady.verdict, unsteady.n_to_decide, unsteady.needs_seeds) == ("undecided", None, True)


def test_an_overview_counts_the_verdicts_of_each_metric() -> None:
    stated = claims(("A", "B"), ("B", "C"), ("A", "C"))
    measured = judge(stated, [moved("A", 1000.0), moved("B", 1300.0, 2.0), moved("C", 1310.0)])
    assert [one.verdict for one in measured] == ["confirmed", "undecided", "confirmed"]
    other = judge(claims(("A", "B"), metric="vqa"), [])
    shown = overview({("table1", "tiny", "toy", "1"): measured, ("table1", "small", "toy", "3"): other})
    assert shown.head == ("table", "scale", "data", "seeds", "FVD", "VQA")
    assert [list(row) for group in shown.groups for row in group] == [
        ["table1", "tiny", "toy", "1", "2 / 0 / 1", "n/a"],
        ["table1", "small", "toy", "3", "n/a", "not run"],
    ]


def test_only_tables_of_the_paper_state_orderings() -> None:
    stated = of_table("table1")
    assert stated is not None
    assert len(stated.claims) == 18
    assert of_table("ci") is None


def verdicts_of_study(*raters: str) -> dict[tuple[str, str, str], str]:
    """Judge Table 5 by raters who all rank RDTF and SimDA first, then I2V-Adapter, then Customize-A-Video."""
    stated, arena = of_table("table5"), arena_of(load_arena("table5"))
    assert stated is not None
    study = Study(arena=arena, ballots=tuple(ballot(arena, rater) for rater in raters)) if raters else None
    judged = judge(stated, *of_study(study))
    return {(one.claim.metric, one.claim.better.row, one.claim.worse.row): one.verdict for one in judged}


def test_raters_confirm_and_contradict_and_a_tie_decides_nothing() -> None:
    found = verdicts_of_study("Anna", "Ben")
    assert found["interest", "RDTF", "Customize-A-Video"] == "confirmed"
    assert found["text", "Customize-A-Video", "RDTF"] == "contradicted"
    assert found["motion", "RDTF", "SimDA"] == "undecided"


def test_a_single_rater_decides_nothing_and_without_votes_nothing_was_run() -> None:
    assert set(verdicts_of_study("Anna").values()) == {"undecided"}
    assert set(verdicts_of_study().values()) == {"not run"}
