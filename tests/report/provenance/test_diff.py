"""What differs between two sets of records; they are planted, so every move is known."""

import csv
import io
import json
from dataclasses import replace

import pytest

from rdtf_bench.core import intervals
from rdtf_bench.core.errors import StoreError
from rdtf_bench.report import layouts
from rdtf_bench.report.provenance.diff import Difference, ScoreDiff, compare, render
from rdtf_bench.report.provenance.sources import Recorded, Rows
from rdtf_bench.run.record import Record
from rdtf_bench.spec.plan import Cell


@pytest.fixture
def rows(cells: list[Cell], records: dict[str, Record]) -> Rows:
    found = {}
    for cell in cells:
        scores = {metric: identity.as_dict() for metric, identity in cell.scores.items()}
        config = {**records[cell.id].config, "scores": scores}
        found[cell.name] = Recorded(row=cell.name, place="", record=replace(records[cell.id], config=config))
    return found


def changed(rows: Rows, row: str, **fields: object) -> Rows:
    return {**rows, row: replace(rows[row], record=replace(rows[row].record, **fields))}  # type: ignore[arg-type]


def moved(rows: Rows, row: str, metric: str, by: float, *, hard: float = 0.0, **fields: object) -> Rows:
    """Return the rows with one score moved by `by`; leaving out the first group moves it by `hard` more."""
    score = rows[row].record.scores[metric]
    groups = tuple(value + by for value in score.without_group)
    groups = (groups[0] + hard, *groups[1:]) if groups else ()
    other = replace(score, value=score.value + by, without_group=groups, **fields)  # type: ignore[arg-type]
    return changed(rows, row, scores={**rows[row].record.scores, metric: other})


def only(found: Difference, row: str, metric: str) -> ScoreDiff:
    (score,) = [score for score in found.scores if (score.row, score.metric) == (row, metric)]
    return score


def test_equal_records_differ_in_nothing(rows: Rows) -> None:
    found = compare(rows, rows)
    assert found.facts == ()
    assert {score.difference for score in found.scores} == {0.0}
    assert {score.in_difference_sd for score in found.scores} == {0.0}
    assert "nothing" in render(found, names=("a", "b"), format="text")


def test_a_fact_of_all_rows_is_told_once_and_one_of_a_row_by_its_name(rows: Rows) -> None:
    other = rows
    for row in rows:
        other = changed(other, row, environment={"torch": "2.15.0", "commit": "another"})
    other = changed(other, "SimDA", seed=7, environment={"torch": "2.15.0", "commit": "another"})
    found = compare(rows, other)
    told = {(fact.section, fact.name): (fact.a, fact.b, fact.rows) for fact in found.facts}
    assert told["code", "commit"] == ("0123abcd", "another", tuple(rows))
    assert told["seeds", "row"] == (0, 7, ("SimDA",))
    assert set(told) == {("code", "commit"), ("seeds", "row")}


def test_times_are_no_facts_that_decide(rows: Rows) -> None:
    other = changed(rows, "RDTF", stage_seconds={"fit": 1.0}, created="2027-01-01T00:00:00+00:00", peak_memory_gib=9.9)
    assert compare(rows, other).facts == ()


def test_a_move_is_measured_in_deviations_of_the_paired_difference(rows: Rows) -> None:
    score = only(compare(rows, moved(rows, "RDTF", "fvd", 30.0, hard=8.0)), "RDTF", "fvd")
    # differences without each group: 38, 30, 30, 30; their mean is 32, so sqrt(3/4 * (36 + 3 * 4)) = 6
    assert score.in_difference_sd == pytest.approx(30.0 / 6.0)
    own = intervals.deviation(rows["RDTF"].record.scores["fvd"].without_group)
    assert score.in_own_sd == pytest.approx(30.0 / own)
    assert score.paired


def test_other_clips_are_not_paired_and_their_variances_are_added(rows: Rows) -> None:
    other = moved(rows, "RDTF", "fvd", 30.0)
    config = json.loads(json.dumps(other["RDTF"].record.config))
    config["scores"]["fvd"]["clusters"] = "f" * 16
    score = only(compare(rows, changed(other, "RDTF", config=config)), "RDTF", "fvd")
    own = intervals.deviation(rows["RDTF"].record.scores["fvd"].without_group)
    assert not score.paired
    assert score.in_difference_sd == pytest.approx(30.0 / (2**0.5 * own))


def test_a_counted_number_has_no_deviation(rows: Rows) -> None:
    score = only(compare(rows, moved(rows, "RDTF", "params", 5.0)), "RDTF", "params")
    assert (score.difference, score.in_own_sd, score.in_difference_sd) == (5.0, None, None)


@pytest.mark.parametrize(
    ("fields", "said"), [({"yardstick": "x"}, "other yardstick"), ({"n": 9}, "other number of clips: 128 and 9")]
)
def test_what_cannot_be_compared_is_said(fields: dict[str, object], said: str, rows: Rows) -> None:
    found = compare(rows, moved(rows, "RDTF", "fvd", 1.0, **fields))  # type: ignore[arg-type]
    assert only(found, "RDTF", "fvd").comparable.startswith(said)
    assert said in render(found, names=("a", "b"), format="text")


def test_long_facts_are_folded_in_text_and_whole_in_json(rows: Rows) -> None:
    split_from = "a list of clips: " + "at most 2,000 of each video " * 4
    data = {**rows["RDTF"].record.data, "split_from": split_from}
    found = compare(rows, changed(rows, "RDTF", data=data))
    text = render(found, names=("a", "b"), format="text")
    assert max(map(len, text.splitlines())) <= layouts.NOTE_WIDTH
    (fact,) = json.loads(render(found, names=("a", "b"), format="json"))["facts"]
    assert fact["b"] == split_from


def test_rows_of_one_side_alone_are_named(rows: Rows) -> None:
    without = {row: one for row, one in rows.items() if row != "SimDA"}
    found = compare(rows, without)
    assert (found.only_a, found.only_b) == (("SimDA",), ())
    assert "In A alone: SimDA." in render(found, names=("a", "b"), format="text")


def test_a_single_record_is_compared_with_the_row_of_its_clips_or_of_its_method(rows: Rows) -> None:
    single = {"rdtf": replace(rows["RDTF"], row="rdtf")}
    assert compare(single, rows).rows == compare(rows, single).rows == ("RDTF",)
    earlier = {"rdtf": replace(single["rdtf"], record=replace(single["rdtf"].record, cell_id="earlier"))}
    assert compare(earlier, rows).rows == ("RDTF",)
    assert compare(single, {"SimDA": rows["SimDA"]}).rows == ("SimDA",)


def test_sides_without_a_common_row_are_refused(rows: Rows) -> None:
    one = {row: rows[row] for row in ("RDTF", "SimDA")}
    other = {row: rows[row] for row in ("static", "I2V-Adapter")}
    with pytest.raises(StoreError, match="A has RDTF, SimDA; B has static, I2V-Adapter"):
        compare(one, other)


def test_json_and_csv_hold_the_same_scores(rows: Rows) -> None:
    found = compare(rows, moved(rows, "RDTF", "fvd", 30.0, hard=8.0))
    raw = json.loads(render(found, names=("a", "b"), format="json"))
    lines = list(csv.DictReader(io.StringIO(render(found, names=("a", "b"), format="csv"))))
    assert raw["a"] == "a"
    assert [float(line["difference"]) for line in lines] == [score["difference"] for score in raw["scores"]]
