"""What `rdtf-bench ui` starts, and what it says where there is nothing to start."""

import os
import sys
import webbrowser
from dataclasses import replace
from pathlib import Path

import pytest

from rdtf_bench.commands.tracking import ui
from rdtf_bench.run.tracking import server, table_runs
from tests.command_line import rdtf_bench

TWO_ROWS = table_runs.Comparison(table="table1 (tiny, asg toy, abc)", experiment="1", runs=("a", "b"))
LINK = TWO_ROWS.link("http://127.0.0.1:5001")


def test_it_serves_the_database_of_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started: list[str] = []
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(os, "execvpe", lambda _, command, __: started.extend(command))
    monkeypatch.setattr(table_runs, "last_comparisons", lambda _: [])
    (tmp_path / "mlflow.db").touch()
    status, printed = rdtf_bench(monkeypatch, capsys, "ui", "--store", str(tmp_path), "--port", "5001")
    assert (status, printed) == (0, "MLflow UI on http://127.0.0.1:5001 (Ctrl-C ends it)\n")
    assert started[started.index("--backend-store-uri") + 1] == server.default_uri(tmp_path)


def test_a_running_server_has_a_ui_of_its_own(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(server, "require_usable", lambda *_: None)
    monkeypatch.setattr(table_runs, "last_comparisons", lambda _: [TWO_ROWS])
    monkeypatch.setattr(webbrowser, "open", opened.append)
    status, printed = rdtf_bench(monkeypatch, capsys, "ui", "--tracking-uri", "http://127.0.0.1:5000")
    assert status == 0
    assert "http://127.0.0.1:5000 is a running MLflow server with a UI of its own: open that address" in printed
    link = TWO_ROWS.link("http://127.0.0.1:5000")
    assert f"Compare the rows of table1 (tiny, asg toy, abc): {link}" in printed
    assert opened == []
    rdtf_bench(monkeypatch, capsys, "ui", "--tracking-uri", "http://127.0.0.1:5000", "--open")
    assert opened == [link]


def test_a_table_that_is_still_logged_is_told_with_the_number_of_rows_that_are_there(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    uri = "http://127.0.0.1:5000"
    two = replace(TWO_ROWS, table="table4 (tiny)", status="RUNNING", num_rows=4)
    one = replace(two, runs=("a",))
    lines = {
        "whole": f"Compare the rows of table1 (tiny, asg toy, abc): {TWO_ROWS.link(uri)}\n",
        "two": f"Compare the rows of table4 (tiny) (RUNNING, 2 of 4 rows so far): {two.link(uri)}\n",
        "one": "Nothing to compare yet of table4 (tiny) (RUNNING, 1 of 4 rows so far)\n",
    }
    monkeypatch.setattr(server, "require_usable", lambda *_: None)
    for logged, expected in (([TWO_ROWS, two], ["whole", "two"]), ([two], ["two"]), ([one], ["one"])):
        monkeypatch.setattr(table_runs, "last_comparisons", lambda _, logged=logged: logged)
        _, printed = rdtf_bench(monkeypatch, capsys, "ui", "--tracking-uri", uri)
        assert printed.partition("in a browser\n")[2] == "".join(lines[name] for name in expected)


@pytest.mark.parametrize(("serves", "expected"), [(True, [LINK]), (False, [])])
def test_the_comparison_is_opened_once_the_server_answers(
    serves: bool,
    expected: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    opened: list[str] = []
    answers = iter([False, serves])
    program = "import time; time.sleep(1); raise SystemExit(3)"
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(table_runs, "last_comparisons", lambda _: [TWO_ROWS])
    monkeypatch.setattr(server, "ui_command", lambda *_, **__: [sys.executable, "-c", program])
    monkeypatch.setattr(ui, "_answers", lambda _: next(answers, False))
    monkeypatch.setattr(webbrowser, "open", opened.append)
    status, _ = rdtf_bench(monkeypatch, capsys, "ui", "--store", str(tmp_path), "--port", "5001", "--open")
    assert opened == expected
    assert status == 3  # of the server


def test_ctrl_c_waits_for_the_server_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    ended = tmp_path / "ended"
    program = f"import time, pathlib; time.sleep(1); pathlib.Path({str(ended)!r}).touch()"
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr(table_runs, "last_comparisons", lambda _: [TWO_ROWS])
    monkeypatch.setattr(server, "ui_command", lambda *_, **__: [sys.executable, "-c", program])
    monkeypatch.setattr(ui, "_answers", lambda _: True)
    monkeypatch.setattr(webbrowser, "open", interrupt)
    status, _ = rdtf_bench(monkeypatch, capsys, "ui", "--store", str(tmp_path), "--open")
    assert ended.exists()
    assert status == 0  # of the server
