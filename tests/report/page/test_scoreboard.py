from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle

import pytest

from rdtf_bench.report.layouts import Cell as Word
from rdtf_bench.report.page import scoreboard
from rdtf_bench.report.page.scoreboard import Bar, pair_table, verdict_table
from rdtf_bench.report.table import grid
from rdtf_bench.report.table.grid import Grid
from rdtf_bench.report.table.rows import Number, rows
from rdtf_bench.run.record import Record
from rdtf_bench.spec.plan import Cell, Constants
from rdtf_bench.spec.schema import TableSpec


@pytest.fixture
def numbers(spec: TableSpec, cells: Sequence[Cell], parted: dict[str, Record]) -> list[Number]:
    return rows(spec, cells, parted)


@pytest.fixture
def shown(spec: TableSpec, cells: Sequence[Cell], numbers: list[Number], constants: Constants) -> Grid:
    return grid.build(spec, cells, numbers, constants)


def line(table: Sequence[Sequence[str | Word]], *starts: str) -> list[str | Word]:
    return next(list(row) for row in table if tuple(row[: len(starts)]) == starts)


def test_a_bar_spans_the_interval_in_the_range_of_its_column(shown: Grid) -> None:
    seconds = scoreboard.scoreboard(shown).metrics[4]
    # the intervals are value +- 0.0004; the column reaches from RDTF's 0.0119 to SimDA's 0.0196
    scale = 100 / (0.0196 - 0.0119)
    assert seconds.values["RDTF"].bar == Bar(start=0.0, width=round(0.0008 * scale, 2), at=round(0.0004 * scale, 2))
    simda = seconds.values["SimDA"].bar
    assert simda is not None
    assert simda.start + simda.width == pytest.approx(100, abs=0.011)  # both are rounded to 0.01


def test_a_counted_number_has_no_bar(shown: Grid) -> None:
    params = scoreboard.scoreboard(shown).metrics[3]
    assert params.values["RDTF"].entry.value == "0.57 M"
    assert params.values["RDTF"].bar is None


def test_a_metric_says_who_is_best_tied_and_behind_and_how_they_compare_with_a_still_frame(shown: Grid) -> None:
    (group,) = verdict_table(shown).groups
    fvd = line(group, "FVD ↓")
    judged = {label: shown.columns[0].entries[label].verdict for label in shown.methods}
    assert judged["RDTF"] == judged["SimDA"] == "tied"
    assert fvd[1:4] == ["none", "SimDA, RDTF", "Customize-A-Video, I2V-Adapter"]
    assert fvd[4:] == ["Customize-A-Video, I2V-Adapter, SimDA, RDTF", "none", "none"]
    params = line(group, "Params ↓")
    assert params[1:4] == ["RDTF", "none", "Customize-A-Video, I2V-Adapter, SimDA"]
    assert params[4:] == ["n/a", "n/a", "n/a"]


def test_every_pair_has_its_paired_interval_and_the_clips_that_would_resolve_it(shown: Grid) -> None:
    table = pair_table(shown)
    labels = [group[0][0] for group in table.groups]
    assert labels == ["FVD ↓", "VQA ↑", "CLIP ↑", "FVD appearance ↓", "FVD motion ↓"]
    assert [len(group) for group in table.groups] == [6] * 5
    pair = line(table.groups[0], "FVD ↓", "SimDA − RDTF")
    # 612.4 - 604.1; own moves differ by 11: deviation 11 sqrt(3) = 19.05, times 3.18 (3 degrees of freedom) = 60.6
    assert pair[2:5] == ["+8.3", "[-52.3, +68.9]", "no"]
    # 128 ((1.9600 + 0.8416) 19.0526 / 8.3)^2 = 5293.8
    assert pair[5] == "5,294"


def test_a_difference_within_the_variation_of_the_seeds_asks_for_more_seeds(
    spec: TableSpec, cells: Sequence[Cell], numbers: list[Number], constants: Constants
) -> None:
    def needed(spread: float) -> str | Word:
        seeded = [
            replace(one, seeds=(0, 1, 2), by_seed=(one.value - sign * spread, one.value, one.value + sign * spread))
            for one, sign in zip(numbers, cycle((1, -1)))
        ]
        (group, *_) = pair_table(grid.build(spec, cells, seeded, constants)).groups
        return line(group, "FVD ↓", "SimDA − RDTF")[5]

    assert needed(0.1) == "5,294"  # as with one seed: clips alone would resolve it
    assert needed(20.0) == "more seeds"
