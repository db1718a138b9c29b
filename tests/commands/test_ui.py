"""What `rdtf-bench ui` starts, and what it says where there is nothing to start."""

import os
from pathlib import Path

import pytest

from rdtf_bench.run import track
from tests.command_line import rdtf_bench


def test_it_serves_the_database_of_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started: list[str] = []
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(os, "execvpe", lambda _, command, __: started.extend(command))
    (tmp_path / "mlflow.db").touch()
    status, printed = rdtf_bench(monkeypatch, capsys, "ui", "--store", str(tmp_path), "--port", "5001")
    assert (status, printed) == (0, "MLflow UI on http://127.0.0.1:5001 (Ctrl-C ends it)\n")
    assert started[started.index("--backend-store-uri") + 1] == track.default_uri(tmp_path)


def test_a_running_server_has_a_ui_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(track, "require_usable", lambda *_: None)
    status, printed = rdtf_bench(monkeypatch, capsys, "ui", "--tracking-uri", "http://127.0.0.1:5000")
    assert status == 0
    assert "http://127.0.0.1:5000 is a running MLflow server with a UI of its own: open that address" in printed
