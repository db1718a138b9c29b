"""Pictures and MLflow of a finished table: made once, and logged when something is new."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from rdtf_bench.core.store import Store, write_text
from rdtf_bench.report import artifacts
from rdtf_bench.run import track
from rdtf_bench.run.inputs.datasets import Dataset
from rdtf_bench.run.record import Record
from rdtf_bench.run.table.context import find_assets, make_bench
from rdtf_bench.run.table.execute import Outcome
from rdtf_bench.spec.plan import Cell, DataIdentity
from rdtf_bench.spec.schema import Scale, TableSpec


@pytest.fixture
def outcome(
    spec: TableSpec, scale: Scale, data: DataIdentity, cells: list[Cell], records: dict[str, Record], tmp_path: Path
) -> Outcome:
    """A finished run of the planted table; only RDTF has a curriculum in its log."""
    bench = make_bench(spec, scale, data, {}, find_assets(scale), Store(tmp_path))
    for cell in cells:
        if cell.fit is not None:
            curriculum = {"weight_interpolation": 0.5} if cell.method == "rdtf" else {}
            line = json.dumps({"step": 0, "elapsed_s": 1.0, "loss": 0.5, **curriculum})
            folder = bench.store.unfinished("fit", cell.fit_key)
            write_text(folder / "log.jsonl", line + "\n")
            bench.store.finish("fit", cell.fit_key)
    return Outcome(
        bench=bench,
        data=Dataset(identity=data, clips={}),
        cells=cells,
        records=records,
        jobs_done=12,
        wall_s=185.4,
        peak_memory_gib=2.04,
    )


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What was logged. Pictures are empty files, and nothing counts as logged before."""
    calls: list[dict[str, Any]] = []

    def draw(_spec: TableSpec, _outcome: Outcome, _logs: object, folder: Path) -> None:
        calls.append({"drawn": folder})
        for name in ("samples.gif", "samples.png", "loss.png", "loss.csv", "curriculum.png"):
            write_text(folder / name, "")

    monkeypatch.setattr(artifacts, "_draw", draw)
    monkeypatch.setattr(track, "log", lambda rows, **facts: calls.append({"rows": rows, **facts}))
    monkeypatch.setattr(track, "untracked", lambda *_: False)
    return calls


@pytest.fixture
def write(spec: TableSpec, scale: Scale, outcome: Outcome) -> Callable[[], None]:
    console = Console(quiet=True)
    return lambda: artifacts.write(spec, scale, outcome, tracking_uri="file:x", console=console, quiet=False)


def test_pictures_are_drawn_once_and_logged_with_every_row(
    write: Callable[[], None], outcome: Outcome, logged: list[dict[str, Any]]
) -> None:
    write()
    drawn, log = logged
    assert [row.label for row in log["rows"]] == [cell.name for cell in outcome.cells]
    assert [row.log[0]["loss"] for row in log["rows"] if row.log] == [0.5] * 4
    assert {path.name for path in log["artifacts"]} == {path.name for path in drawn["drawn"].iterdir()}
    assert (log["table"], log["scale"], log["uri"]) == ("planted", "tiny", "file:x")
    write()
    assert len(logged) == 2


def test_records_that_the_server_has_not_are_logged_without_drawing_again(
    write: Callable[[], None], logged: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    write()
    monkeypatch.setattr(track, "untracked", lambda *_: True)
    write()
    assert ["drawn" in call for call in logged] == [True, False, False]


def test_a_table_without_a_curriculum_has_no_picture_of_one(
    outcome: Outcome, spec: TableSpec, scale: Scale, logged: list[dict[str, Any]]
) -> None:
    without = replace(outcome, cells=[cell for cell in outcome.cells if cell.method != "rdtf"])
    artifacts.write(spec, scale, without, tracking_uri="file:x", console=Console(quiet=True), quiet=True)
    assert "curriculum.png" not in {path.name for path in logged[-1]["artifacts"]}


def test_other_cells_have_pictures_of_their_own(spec: TableSpec, scale: Scale, outcome: Outcome) -> None:
    folder = artifacts.pictures_folder(spec, scale, outcome)
    assert folder.parent == outcome.bench.store.root / "pictures"
    assert folder.name.startswith("planted-tiny-")
    assert artifacts.pictures_folder(spec, scale, replace(outcome, cells=outcome.cells[:1])) != folder


def test_the_closing_line_says_what_it_cost(outcome: Outcome) -> None:
    assert artifacts.closing_line(outcome) == "12 jobs in 3 min 05 s; peak memory of all processes 2.0 GiB"
    assert artifacts.closing_line(replace(outcome, jobs_done=0)).startswith("nothing left to do, checked in 3 min")
