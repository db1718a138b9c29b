"""Logging what could not be logged, and the order of measuring, printing and logging. Nothing reaches MLflow here."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from rdtf_bench.commands.kinds import table as tables
from rdtf_bench.report import artifacts, tuning
from rdtf_bench.run.table import execute
from rdtf_bench.run.tracking import table_runs
from tests.command_line import rdtf_bench


@pytest.mark.parametrize(("logged", "said"), [(7, "logged 7 runs to sqlite:"), (0, "everything is logged already to")])
@pytest.mark.parametrize("kind", ["store", "tuning"])
def test_it_says_how_many_runs_it_logged(
    kind: str,
    logged: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    place = {"store": tmp_path / "pictures" / "table1" / "rows.json", "tuning": tmp_path / "finetune.json"}[kind]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("{}")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(table_runs, "log", lambda *_, **__: logged)
    monkeypatch.setattr(artifacts, "_read_table", lambda *_: None)
    monkeypatch.setattr(tuning, "_run_of", lambda *_: SimpleNamespace(end=lambda **_: None, changed=bool(logged)))
    status, printed = rdtf_bench(monkeypatch, capsys, "sync", "--store", str(tmp_path))
    assert status == 0
    assert printed.startswith(said if kind == "store" or not logged else "logged 1 runs to sqlite:")


def test_an_empty_folder_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status, printed = rdtf_bench(monkeypatch, capsys, "sync", "--store", str(tmp_path))
    assert status == 6
    assert f"{tmp_path}: holds no finished table and no fine-tuning" in printed


def test_every_table_is_printed_before_it_is_logged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    printed_before: list[str] = []
    outcome = SimpleNamespace(cells=[], records={})
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(execute, "run", lambda *_, **__: outcome)
    monkeypatch.setattr(tables, "_rendered", lambda *_, **__: "THE TABLE")
    monkeypatch.setattr(artifacts, "write", lambda *_, **__: printed_before.append(capsys.readouterr().out))
    status, _ = rdtf_bench(monkeypatch, capsys, "run", "table2", "--store", str(tmp_path), "--quiet")
    assert status == 0
    assert printed_before == ["THE TABLE\n", "\nTHE TABLE\n"]  # a set of two tables
