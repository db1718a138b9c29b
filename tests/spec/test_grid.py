"""Rows that a grid of settings makes, and what they change in the plan."""

from pathlib import Path

import pytest

from rdtf_bench.core.errors import ProtocolError
from rdtf_bench.run.table import context
from rdtf_bench.spec.identities import TrainedSamples
from rdtf_bench.spec.load import load_protocol, load_scale
from rdtf_bench.spec.plan import Cell

NOWHERE = Path("no-store")  # the identity of the built-in data is not read from a store

TABLE = """
kind: table
name: mine
version: 1
title: My grid
source: nowhere
dataset: asg
task: it2v
known_frames: keep
metrics: [fvd]
seeds: [0]
controls: [static]
"""


def written(text: str, tmp_path: Path) -> str:
    path = tmp_path / "mine.yaml"
    path.write_text(TABLE + text, encoding="utf-8")
    return str(path)


def cells(name_or_path: str) -> list[Cell]:
    return context.cells_of(load_protocol(name_or_path), load_scale("tiny"), None, NOWHERE)[1]


def test_every_row_stands_at_every_combination(tmp_path: Path) -> None:
    grid = "grid: {eta: [0, 0.5], known_frames: [keep, overwrite]}\nrows: [{label: RDTF, method: rdtf}]\n"
    spec = load_protocol(written(grid, tmp_path))
    assert [row.label for row in spec.rows] == [
        "RDTF, eta 0, known_frames keep",
        "RDTF, eta 0, known_frames overwrite",
        "RDTF, eta 0.5, known_frames keep",
        "RDTF, eta 0.5, known_frames overwrite",
    ]
    planned = [cell for cell in cells(str(tmp_path / "mine.yaml")) if cell.fit]
    found = [(c.sample.sampler.eta, c.sample.known_frames) for c in planned if isinstance(c.sample, TrainedSamples)]
    assert found == [(0, "keep"), (0, "overwrite"), (0.5, "keep"), (0.5, "overwrite")]
    assert len({cell.fit_key for cell in planned}) == 1  # one training for all of them


def test_a_setting_at_the_scales_value_is_the_same_row_as_in_table_1() -> None:
    in_table_1 = {cell.id for cell in cells("table1")}
    shared = {cell.label for cell in cells("ablate-sampler") if cell.id in in_table_1}
    assert "SimDA, eta 1, text 1, steps 10" in shared
    keep = {cell.label for cell in cells("ablate-known-frames") if cell.id in in_table_1}
    assert {"RDTF, known_frames keep", "SimDA, known_frames keep"} <= keep


def test_settings_of_a_row_reach_its_training(tmp_path: Path) -> None:
    rows = "rows:\n  - {label: A, method: simda}\n  - {label: B, method: simda, settings: {learning_rate: 0.5}}\n"
    plain, changed = (cell for cell in cells(written(rows, tmp_path)) if cell.fit)
    assert changed.trained.training.learning_rate == 0.5
    assert plain.trained.training.learning_rate == load_scale("tiny").methods["simda"].learning_rate


def test_choices_are_made_on_validation_clips_and_share_the_trainings_of_table_1() -> None:
    sweep, table = cells("sweep-sampler"), cells("table1")
    assert {cell.fit_key for cell in sweep if cell.fit} == {cell.fit_key for cell in table if cell.fit}
    scored = {cell.sample.real.clips.split(":")[1] for cell in sweep}
    assert scored == {"validation"}
    assert {cell.sample.real.clips.split(":")[1] for cell in table} == {"test"}


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        ("{eta: [1, low]}", "grid.eta.1: 'low' is no eta"),
        ("{eta: [-1]}", "grid.eta.0: -1 is no eta"),
        ("{sampling_steps: [2.5]}", "grid.sampling_steps.0: 2.5 is no sampling_steps"),
        ("{known_frames: [maybe]}", "grid.known_frames.0: 'maybe' is no known_frames"),
        ("{colour: [1]}", "colour"),
    ],
)
def test_a_value_that_does_not_fit_is_named(grid: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match=said.replace(".", r"\.")):
        load_protocol(written(f"grid: {grid}\nrows: [{{label: RDTF, method: rdtf}}]\n", tmp_path))
