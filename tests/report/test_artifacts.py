"""Pictures and MLflow of a finished table: drawn once, and what MLflow does costs no result."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from rdtf_bench.core.errors import StoreError, TrackingError
from rdtf_bench.core.leases import Leases
from rdtf_bench.core.store import Store, write_text
from rdtf_bench.report import artifacts
from rdtf_bench.run import record
from rdtf_bench.run.inputs.datasets import Dataset
from rdtf_bench.run.record import Record
from rdtf_bench.run.selftest import record as selftest_record
from rdtf_bench.run.table.context import find_assets, make_bench
from rdtf_bench.run.table.execute import Outcome
from rdtf_bench.run.tracking import table_runs
from rdtf_bench.spec.plan import Cell, DataIdentity
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import TableSpec


@pytest.fixture
def outcome(
    spec: TableSpec, scale: Scale, data: DataIdentity, cells: list[Cell], records: dict[str, Record], tmp_path: Path
) -> Outcome:
    """A finished run of the planted table; only RDTF has a curriculum in its log."""
    bench = make_bench(spec.controls, scale, Dataset(identity=data, clips={}), find_assets(scale), Store(tmp_path))
    for cell in cells:
        if cell.fit is not None:
            curriculum = {"weight_interpolation": 0.5} if cell.method == "rdtf" else {}
            line = json.dumps({"step": 0, "elapsed_s": 1.0, "loss": 0.5, **curriculum})
            folder = bench.store.unfinished("fit", cell.fit_key)
            write_text(folder / "log.jsonl", line + "\n")
            bench.store.finish("fit", cell.fit_key)
    return Outcome(
        bench=bench,
        cells=cells,
        records=records,
        jobs_done=12,
        wall_s=185.4,
        peak_memory_gib=2.04,
    )


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The folders that pictures were drawn in. Pictures are empty files."""
    folders: list[Path] = []

    def draw(_spec: TableSpec, _outcome: Outcome, _logs: object, folder: Path) -> None:
        folders.append(folder)
        for name in ("samples.gif", "samples.png", "loss.png", "loss.csv", "curriculum.png"):
            write_text(folder / name, "")

    monkeypatch.setattr(artifacts, "_draw", draw)
    monkeypatch.setattr(artifacts, "_write_page", lambda *given: write_text(given[3], str(given[4])))
    return folders


def test_the_page_of_a_finished_table_has_its_numbers_and_curves(
    spec: TableSpec, scale: Scale, outcome: Outcome, tmp_path: Path
) -> None:
    plain = replace(outcome, cells=[cell for cell in outcome.cells if cell.method != "rdtf"])  # its log is cut short
    artifacts._write_page(spec, scale, plain, tmp_path / artifacts.PAGE)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<h1>planted: A planted table</h1>" in text
    assert "612.4" in text
    assert 'alt="Curves of the training loss over the steps, smoothed: ' in text


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[tuple[table_runs.Table, str]]:
    """What was handed to MLflow."""
    calls: list[tuple[table_runs.Table, str]] = []

    def log(table: table_runs.Table, *, uri: str, root: Path) -> int:
        with Leases(root) as other:
            assert not other.take("mlflow")  # two commands at once would log everything twice
        calls.append((table, uri))
        return 1 + len(table.rows)

    monkeypatch.setattr(table_runs, "log", log)
    return calls


@pytest.fixture
def write(spec: TableSpec, scale: Scale, outcome: Outcome) -> Callable[[], None]:
    for made in outcome.records.values():
        record.save(made, record.folder_in(outcome.bench.store.root))
    console = Console(stderr=True, width=200)
    return lambda: artifacts.write(spec, scale, outcome, tracking_uri="http://a", console=console, quiet=False)


def test_pictures_are_drawn_once_and_logged_with_every_row(
    write: Callable[[], None],
    outcome: Outcome,
    drawn: list[Path],
    logged: list[tuple[table_runs.Table, str]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    write()
    write()
    (folder,) = drawn
    (table, uri), again = logged
    assert (table.name, table.scale, uri) == ("planted", "tiny", "http://a")
    assert [row.label for row in table.rows] == [cell.name for cell in outcome.cells]
    assert [row.record for row in table.rows] == [outcome.records[cell.id] for cell in outcome.cells]
    assert [row.log[0]["loss"] for row in table.rows if row.log] == [0.5] * 4
    assert table.description.startswith("### planted: A planted table")
    assert "| method |" in table.description
    assert {path.name for path in table.pictures} == {path.name for path in folder.iterdir()} - {"rows.json"}
    assert again == (table, uri)
    assert f"logged {1 + len(table.rows)} runs to http://a" in capsys.readouterr().err


def test_the_page_is_written_anew_when_a_score_or_a_warning_is_new(
    write: Callable[[], None],
    outcome: Outcome,
    drawn: list[Path],
    logged: list[tuple[table_runs.Table, str]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write()
    (folder,) = drawn
    page = folder / artifacts.PAGE
    monkeypatch.setattr(selftest_record, "warning", lambda *_: "SELF-TEST FAILED")
    for scores in (outcome.cells[0].scores, {}):
        outcome.cells[0] = replace(outcome.cells[0], scores=scores)
        page.write_text("old")
        write()
        assert page.read_text(encoding="utf-8") == "SELF-TEST FAILED"
        page.write_text("kept")
        write()
        assert page.read_text(encoding="utf-8") == "kept"
    assert len(drawn) == 1
    assert "SELF-TEST FAILED" in logged[-1][0].description


def test_a_failure_of_mlflow_costs_the_log_only_and_sync_logs_the_same_table(
    write: Callable[[], None],
    outcome: Outcome,
    drawn: list[Path],
    logged: list[tuple[table_runs.Table, str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    root = outcome.bench.store.root
    write()
    with monkeypatch.context() as dead:

        def log(*_: object, **__: object) -> int:
            raise TrackingError("http://a: no answer")

        dead.setattr(table_runs, "log", log)
        write()
    told = capsys.readouterr().err
    assert "logging to MLflow failed: http://a: no answer. No number is lost" in told
    assert f"rdtf-bench sync --store {root} --tracking-uri http://a" in told
    assert artifacts.sync(root, "http://b") == 1 + len(outcome.cells)
    assert logged[1] == (logged[0][0], "http://b")
    assert len(drawn) == 1


def test_what_the_store_has_lost_is_named(
    write: Callable[[], None], outcome: Outcome, drawn: list[Path], logged: list[tuple[table_runs.Table, str]]
) -> None:
    write()
    lost = record.folder_in(outcome.bench.store.root) / f"{outcome.cells[0].id}.json"
    lost.unlink()
    with pytest.raises(StoreError, match=f"{lost}: is gone, and logging planted needs it. Run the table again"):
        artifacts.sync(outcome.bench.store.root, "http://a")
    assert len(drawn) == len(logged) == 1


def test_a_table_without_a_curriculum_needs_no_picture_of_one(
    write: Callable[[], None],
    outcome: Outcome,
    spec: TableSpec,
    scale: Scale,
    drawn: list[Path],
    logged: list[tuple[table_runs.Table, str]],
) -> None:
    without = replace(outcome, cells=[cell for cell in outcome.cells if cell.method != "rdtf"])
    write()
    for _ in range(2):
        artifacts.write(spec, scale, without, tracking_uri="http://a", console=Console(quiet=True), quiet=True)
        (drawn[-1] / "curriculum.png").unlink(missing_ok=True)
    assert len(drawn) == 2
    assert "curriculum.png" not in {path.name for path in logged[-1][0].pictures}


def test_other_cells_have_pictures_of_their_own(spec: TableSpec, scale: Scale, outcome: Outcome) -> None:
    root = outcome.bench.store.root
    folder = artifacts.pictures_folder(root, spec, scale, outcome.cells)
    assert folder.parent == root / "pictures"
    assert folder.name.startswith("planted-tiny-")
    assert artifacts.pictures_folder(root, spec, scale, outcome.cells[:1]) != folder


def test_the_samples_of_a_finished_table_are_copied(
    spec: TableSpec, scale: Scale, outcome: Outcome, tmp_path: Path
) -> None:
    root, copy = outcome.bench.store.root, tmp_path / "new" / "samples.gif"
    with pytest.raises(StoreError, match=f"rdtf-bench run {spec.name} --scale tiny"):
        artifacts.copy_samples(root, spec, scale, outcome.cells, copy)
    folder = artifacts.pictures_folder(root, spec, scale, outcome.cells)
    folder.mkdir(parents=True)
    (folder / "samples.gif").write_bytes(b"GIF89a")
    artifacts.copy_samples(root, spec, scale, outcome.cells, copy)
    assert copy.read_bytes() == b"GIF89a"


def test_the_closing_line_says_what_it_cost(outcome: Outcome) -> None:
    assert artifacts.closing_line(outcome) == "12 jobs in 3 min 05 s; peak memory of all processes 2.0 GiB"
    assert artifacts.closing_line(replace(outcome, jobs_done=0)).startswith("nothing left to do, checked in 3 min")
