"""Digits, units and heads of one column."""

from dataclasses import replace

import pytest

from rdtf_bench.report.table import grid
from rdtf_bench.report.table.grid import Column, digits_for
from rdtf_bench.report.table.rows import Number, rows
from rdtf_bench.run.record import PartRecord, Record
from rdtf_bench.spec.plan import Cell, Constants
from rdtf_bench.spec.schema import TableSpec
from tests.report.conftest import Measure, PlanOf
from tests.report.numbers import number


def counted(value: float) -> Number:
    return replace(number("a", value), metric="params", ci_low=value, ci_high=value, without_group=())


@pytest.mark.parametrize(
    ("value", "shown"), [(960_118_452.0, "0.96 B"), (99_999_999.0, "100.00 M"), (574_000.0, "0.57 M")]
)
def test_parameters_are_in_millions_or_billions(value: float, shown: str) -> None:
    assert digits_for([counted(value)]).value(counted(value)) == shown


def test_the_whole_column_has_the_unit_of_its_largest_value() -> None:
    columns = [counted(2e8), counted(5e6)]
    digits = digits_for(columns)
    assert [digits.value(one) for one in columns] == ["0.20 B", "0.01 B"]


@pytest.mark.parametrize(("seconds", "shown"), [(0.0123, "12.3 ms"), (0.4, "400.0 ms"), (2.5, "2.50 s")])
def test_seconds_below_one_are_in_milliseconds(seconds: float, shown: str) -> None:
    timed = replace(number("a", seconds), unit="s")
    assert digits_for([timed]).value(timed) == shown


def test_a_counted_number_has_no_interval_and_one_over_clips_always_has() -> None:
    assert digits_for([counted(5e6)]).interval(counted(5e6)) == ""
    exact = replace(number("a", 0.0), ci_low=0.0, ci_high=0.0)
    assert digits_for([exact]).interval(exact) == "[0.000, 0.000]"


def test_seeds_that_differ_are_shown_with_their_deviation() -> None:
    seeded = replace(number("a", 612.4), seeds=(0, 1), by_seed=(600.0, 624.8), seed_sd=17.5)
    assert digits_for([seeded]).value(seeded) == "612.4 ±17.5"


def test_a_column_without_a_number_claims_no_yardstick(
    spec: TableSpec, cells: list[Cell], constants: Constants
) -> None:
    shown = grid.build(spec, cells, [], constants)
    assert [column.head for column in shown.columns[:2]] == ["FVD ↓ (not run)", "VQA ↑ (not run)"]
    assert shown.has_gaps
    assert not shown.has_verdicts


def test_controls_and_methods_are_apart(
    spec: TableSpec,
    cells: list[Cell],
    records: dict[str, Record],
    constants: Constants,
) -> None:
    shown = grid.build(spec, cells, rows(spec, cells, records), constants)
    assert shown.methods == tuple(row.label for row in spec.rows)
    assert shown.controls == ("static", "autoencoder", "other real clips")
    assert shown.columns[0].entries["static"].verdict is None


def test_the_bare_name_of_a_metric_is_for_its_official_network() -> None:
    assert Column(name="FVD ↓", yardstick="", entries={}).head == "FVD ↓"
    other = "i3d, unverified sha256 0123456789ab"
    assert Column(name="FVD ↓", yardstick=other, entries={}).head == f"FVD ↓ ({other})"


def test_the_distance_of_the_real_clips_from_themselves_is_0_and_not_measured(
    spec: TableSpec, plan_of: PlanOf, measure: Measure, constants: Constants
) -> None:
    """VQA: real is 0.6 and static 0.561, with equal changes per group, so that the difference is certain."""
    more = spec.model_copy(update={"controls": ("static", "real")})
    cells = plan_of(more)
    shown = grid.build(more, cells, rows(more, cells, measure(cells)), constants)
    entries = {column.name: column.entries["real"].value for column in shown.columns}
    assert entries == {"FVD ↓": "0", "VQA ↑": "0.600", "CLIP ↑": "0.270", "Params ↓": "n/a", "Seconds ↓": "n/a"}


def test_a_column_that_does_not_tell_real_clips_from_a_still_is_marked(
    spec: TableSpec, plan_of: PlanOf, measure: Measure, constants: Constants
) -> None:
    more = spec.model_copy(update={"controls": ("static", "real")})
    cells = plan_of(more)
    records = measure(cells)
    (real,) = [cell for cell in cells if cell.label == "real"]
    vqa = records[real.id].scores["vqa"]
    records[real.id].scores["vqa"] = replace(vqa, value=0.5, without_group=tuple(x - 0.1 for x in vqa.without_group))
    assert [column.name for column in grid.build(more, cells, rows(more, cells, records), constants).columns][:3] == [
        "FVD ↓",
        "VQA ↑ †",
        "CLIP ↑",
    ]


def test_a_part_that_is_missing_says_why_its_metric_is_missing(
    spec: TableSpec, cells: list[Cell], records: dict[str, Record], constants: Constants
) -> None:
    by_label = {cell.label: cell for cell in cells}
    with_parts = records[by_label["RDTF"].id].scores
    parts = {"motion": PartRecord(value=1.0, ci_low=0.5, ci_high=1.5, without_group=with_parts["fvd"].without_group)}
    with_parts["fvd"] = replace(with_parts["fvd"], parts=parts)
    del records[by_label["SimDA"].id]
    shown = grid.build(spec, cells, rows(spec, cells, records), constants, lost=["I2V-Adapter"])
    del records[by_label["I2V-Adapter"].id]
    lost = grid.build(spec, cells, rows(spec, cells, records), constants, lost=["I2V-Adapter"])
    (motion,) = [column for column in lost.columns if column.name == "FVD motion ↓"]
    told = {label: motion.entries[label].value for label in ("RDTF", "SimDA", "I2V-Adapter", "Customize-A-Video")}
    assert told == {"RDTF": "1.00", "SimDA": "not run", "I2V-Adapter": "diverged", "Customize-A-Video": "n/a"}
    assert shown.columns[-1].entries["I2V-Adapter"].value == "n/a"  # measured, before parts were recorded
