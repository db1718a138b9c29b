"""Which numbers exist, and what several seeds make of them."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from scipy.stats import t as student

from rdtf_bench.report.table.rows import TIDY, columns, rows
from rdtf_bench.run.record import Record
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.schema import TableSpec


def test_every_number_that_exists_has_one_row_in_the_tables_order(
    spec: TableSpec, cells: list[Cell], records: dict[str, Record]
) -> None:
    numbers = rows(spec, cells, records)
    controls = [("static", "fvd"), ("static", "vqa"), ("static", "clip"), ("autoencoder", "fvd")]
    controls += [("autoencoder", "vqa"), ("autoencoder", "clip"), ("other_real_clips", "fvd")]
    methods = [(row.method, metric) for row in spec.rows for metric in spec.metrics]
    assert [(number.method, number.metric) for number in numbers] == methods + controls


def test_the_papers_numbers_stand_beside_the_methods_in_plain_units(
    spec: TableSpec, cells: list[Cell], records: dict[str, Record]
) -> None:
    papers = {(number.method, number.metric): number.paper for number in rows(spec, cells, records)}
    assert papers["rdtf", "params"] == 0.96e9
    assert papers["rdtf", "fvd"] == 442.18
    assert papers["static", "fvd"] is None


def test_a_tidy_number_has_exactly_the_columns(spec: TableSpec, cells: list[Cell], records: dict[str, Record]) -> None:
    number = rows(spec, cells, records)[0]
    assert tuple(number.tidy()) == TIDY
    assert number.tidy()["value"] == 731.2


def test_rows_of_one_method_are_told_apart_by_their_label(
    spec: TableSpec,
    plan_of: Callable[[TableSpec], list[Cell]],
    measure: Callable[[Sequence[Cell]], dict[str, Record]],
) -> None:
    simda, rdtf = spec.rows[2:]
    other = simda.model_copy(update={"method": "rdtf", "options": {"curriculum": "none"}})
    ablation = spec.model_copy(update={"rows": (other, rdtf), "controls": ()})
    cells = plan_of(ablation)
    numbers = rows(ablation, cells, measure(cells))
    assert columns(numbers) == (*TIDY, "row")
    assert {number.tidy(columns(numbers))["row"] for number in numbers} == {"SimDA", "RDTF"}


def test_a_score_under_another_key_than_the_plans_is_not_there(
    spec: TableSpec, cells: list[Cell], records: dict[str, Record]
) -> None:
    old = records[cells[0].id]
    outdated = replace(old.scores["fvd"], key="0" * 16)
    numbers = rows(spec, cells, {**records, old.cell_id: replace(old, scores={**old.scores, "fvd": outdated})})
    found = [number.metric for number in numbers if number.row == cells[0].label]
    assert found == ["vqa", "clip", "params", "seconds"]


def test_a_renamed_row_keeps_its_numbers(
    spec: TableSpec, records: dict[str, Record], plan_of: Callable[[TableSpec], list[Cell]]
) -> None:
    renamed = spec.model_copy(update={"rows": (spec.rows[0].model_copy(update={"label": "LoRA"}), *spec.rows[1:])})
    numbers = rows(renamed, plan_of(renamed), records)
    assert numbers[0].row == "LoRA"
    assert numbers[0].value == 731.2


def test_a_mean_over_seeds_adds_the_variance_of_clips_and_of_trainings(
    spec: TableSpec,
    plan_of: Callable[[TableSpec], list[Cell]],
    measure: Callable[[Sequence[Cell]], dict[str, Record]],
) -> None:
    """Values 10 and 14: mean 12, deviation of the mean sqrt(8 / 2) = 2. The groups' means 11, 13, 11, 13 have the
    jackknife deviation sqrt(3 / 4 * 4) = sqrt(3). Together sqrt(4 + 3), of which 4 has one degree of freedom."""
    twice = spec.model_copy(update={"seeds": (0, 1)})
    cells = [cell for cell in plan_of(twice) if cell.label == "RDTF"]
    records = measure(cells)
    for cell, value, groups in zip(cells, (10.0, 14.0), ((9.0, 11.0) * 2, (13.0, 15.0) * 2), strict=True):
        scores = records[cell.id].scores
        scores["fvd"] = replace(scores["fvd"], value=value, without_group=groups)
    (number,) = [number for number in rows(twice, cells, records) if number.metric == "fvd"]
    assert number.seeds == (0, 1)
    assert number.value == 12
    assert number.seed_sd == pytest.approx(math.sqrt(8))
    assert number.tidy(columns([number])) == number.tidy() | {"seeds": 2, "seed_sd": number.seed_sd}
    margin = student.ppf(0.975, 1 * (7 / 4) ** 2) * math.sqrt(7)
    assert (12 - number.ci_low, number.ci_high - 12) == pytest.approx((margin, margin))


def test_seeds_that_have_not_run_are_not_in_the_mean(
    spec: TableSpec,
    plan_of: Callable[[TableSpec], list[Cell]],
    measure: Callable[[Sequence[Cell]], dict[str, Record]],
) -> None:
    twice = spec.model_copy(update={"seeds": (0, 1)})
    cells = plan_of(twice)
    records = measure([cell for cell in cells if cell.seed == 1])
    (number,) = [n for n in rows(twice, cells, records) if (n.row, n.metric) == ("RDTF", "fvd")]
    assert (number.seeds, number.value) == ((1,), 604.1)
