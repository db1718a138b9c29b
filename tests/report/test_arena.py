import csv
import io
import json

import pytest

from rdtf_bench.report.arena import render, render_protocol
from rdtf_bench.run.arena.plan import load
from rdtf_bench.run.arena.study import Study
from tests.arenas import RANKS, arena_of, ballot

COMMANDS = ("rdtf-bench arena make table5", "rdtf-bench arena tally votes-*.json")
REVERSE = {"Customize-A-Video": 1, "I2V-Adapter": 2, "SimDA": 3, "RDTF": 4}


@pytest.fixture
def study() -> Study:
    arena = arena_of(load("table5"))
    return Study(arena=arena, ballots=(ballot(arena, "Anna"), ballot(arena, "Ben"), ballot(arena, "Eve", REVERSE)))


def test_without_votes_the_papers_numbers_stand_beside_na_and_the_commands_follow() -> None:
    shown = render_protocol(load("table5"), list(RANKS), None, commands=COMMANDS, format="text")
    assert "RDTF                            n/a   2.03         n/a   2.34                  n/a   2.31" in shown
    assert "There are no votes. Make the page for raters: rdtf-bench arena make table5" in shown
    assert "Count what they send: rdtf-bench arena tally votes-*.json" in shown
    assert "Krippendorff" not in shown


def test_with_votes_each_value_has_an_interval_and_the_papers_number_beside_it(study: Study) -> None:
    shown = render_protocol(load("table5"), list(RANKS), study, commands=COMMANDS, format="md")
    # RDTF has 3.5, 3.5 and 1; the clips do not differ, and Student's t for two degrees of freedom is 4.3
    assert "| RDTF | ≈2.67 [1.00, 4.00] | 2.03 |" in shown
    assert "| Text alignment | -0.31 | 11 % |" in shown
    assert "sum to 8.0 over four methods" in shown
    assert "There are no votes" not in shown


def test_strengths_have_no_interval_where_some_rows_never_lost(study: Study) -> None:
    alike = study.model_copy(update={"ballots": study.ballots[:2]})
    strengths = render(alike, format="md").partition("### Strength")[2].partition("### Raters")[0]
    assert "| RDTF | +" in strengths
    assert "[" not in strengths
    assert "[" in render(study, format="md").partition("### Strength")[2].partition("### Raters")[0]


def test_one_rater_has_no_interval_and_no_agreement(study: Study) -> None:
    alone = study.model_copy(update={"ballots": study.ballots[:1]})
    shown = render(alone, format="md")
    assert "| RDTF | 3.50 | 3.50 | 3.50 |" in shown
    assert "| Text alignment | n/a | 17 % |" in shown
    assert "There are no intervals: they need at least two raters and two clips." in shown


def test_data_formats_have_one_line_for_each_row_and_criterion(study: Study) -> None:
    spec = load("table5")
    rows = json.loads(render_protocol(spec, list(RANKS), study, commands=COMMANDS, format="json"))
    assert [(row["row"], row["criterion"]) for row in rows] == [
        (row, criterion.name) for criterion in spec.criteria for row in RANKS
    ]
    last = rows[-1]
    assert (last["aur"], last["paper"], last["raters"], last["clips"]) == (pytest.approx(8 / 3), 2.31, 3, 3)
    assert last["tied_with_best"] is True
    lines = list(csv.DictReader(io.StringIO(render(study, format="csv"))))
    assert lines[0]["paper"] == ""
    assert float(lines[0]["aur"]) == pytest.approx(2.0)
    assert json.loads(render_protocol(spec, list(RANKS), None, commands=COMMANDS, format="json")) == []


def test_a_value_that_rounds_to_zero_has_no_minus_sign() -> None:
    arena = arena_of(load("table5"))
    tied = dict.fromkeys(RANKS, 1)
    shown = render(Study(arena=arena, ballots=(ballot(arena, "Anna", tied),)), format="md")
    assert "-0.00" not in shown
    assert "| RDTF | +0.00 |" in shown
