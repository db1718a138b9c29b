"""Trainings in MLflow while they run: new lines of their logs, runs that were killed, and failures of MLflow."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rdtf_bench.core.errors import TrackingError
from rdtf_bench.core.leases import Leases
from rdtf_bench.run import record
from rdtf_bench.run.table.context import Bench
from rdtf_bench.run.tracking import live, server, table_runs
from rdtf_bench.run.tracking.live import LiveTable
from rdtf_bench.spec.plan import Cell
from tests.mlflow_runs import runs, steps
from tests.planted import record as planted_record

if TYPE_CHECKING:
    from mlflow import MlflowClient

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own
Planned = tuple[Bench, list[Cell]]


def train(planned: Planned, label: str, *steps_done: int) -> None:
    """Write the lines of these steps to the log of a row, as its training does."""
    bench, cells = planned
    (key,) = {cell.fit_key for cell in cells if cell.label == label}
    with (bench.store.unfinished("fit", key) / "log.jsonl").open("a") as log:
        log.writelines(json.dumps({"step": step, "elapsed_s": step / 2, "loss": 1.0}) + "\n" for step in steps_done)


@pytest.fixture
def start(planned: Planned, root: Path) -> Iterator[Callable[..., LiveTable]]:
    """What a run of a table starts in an MLflow database that holds no run."""
    bench, cells = planned
    with ExitStack() as ends:

        def started(name: str = "table1", leases: Leases | None = None) -> LiveTable:
            followed = live.trainings(bench, cells)
            leases = leases or ends.enter_context(Leases(root))
            return LiveTable(name, "tiny", cells, followed, leases, uri=server.default_uri(root), root=root)

        yield started


def test_a_row_shows_its_loss_and_its_settings_while_it_trains(
    planned: Planned, start: Callable[..., LiveTable], client: "MlflowClient"
) -> None:
    running = start()
    running.log_new()
    assert client.get_experiment_by_name(server.EXPERIMENT)
    assert runs(client) == {}  # before the first step, there is nothing to show
    train(planned, "RDTF", 0, 1)
    running.log_new()
    train(planned, "RDTF", 2)
    running.log_new()
    found = runs(client)
    assert {name: run.info.status for name, run in found.items()} == {"table1 (tiny)": "RUNNING", "RDTF": "RUNNING"}
    assert steps(client, found["RDTF"]) == [0, 1, 2]
    assert found["RDTF"].data.params["training_steps"] == "400"
    assert found["RDTF"].data.params["method"] == "rdtf"
    assert found["RDTF"].data.tags["mlflow.parentRunId"] == found["table1 (tiny)"].info.run_id


def test_a_table_that_trains_is_compared_beside_the_one_that_ended_last(
    planned: Planned, start: Callable[..., LiveTable], root: Path
) -> None:
    uri = server.default_uri(root)
    table_runs.log(finished_table(planned, root), uri=uri, root=root)
    running = start("table4")
    train(planned, "RDTF", 0)
    running.log_new()
    whole, training = table_runs.last_comparisons(uri)
    assert (whole.table, whole.is_whole) == ("table1 (tiny, asg toy, abc)", True)
    assert (training.table, training.so_far) == ("table4 (tiny)", "RUNNING, 1 of 4 rows so far")
    running.end(finished=False)
    (killed,) = table_runs.last_comparisons(uri)
    assert (killed.table, killed.so_far) == ("table4 (tiny)", "KILLED, 1 of 4 rows so far")


def test_a_killed_table_is_continued_in_its_runs_and_completed_from_its_records(
    planned: Planned, start: Callable[..., LiveTable], client: "MlflowClient", root: Path
) -> None:
    killed = start()
    train(planned, "RDTF", 0, 1)
    killed.log_new()
    train(planned, "RDTF", 2)
    killed.end(finished=False)
    first = runs(client)
    assert {run.info.status for run in first.values()} == {"KILLED"}
    assert steps(client, first["RDTF"]) == [0, 1, 2]
    resumed = start()
    train(planned, "RDTF", 2, 3)  # step 2 came after the checkpoint, and is done again
    resumed.log_new()
    assert {run.info.status for run in runs(client).values()} == {"RUNNING"}
    resumed.end(finished=True)
    assert table_runs.log(finished_table(planned, root), uri=server.default_uri(root), root=root) == 1 + len(planned[1])
    last = runs(client)
    assert last["RDTF"].info.run_id == first["RDTF"].info.run_id
    assert last["table1 (tiny, asg toy, abc)"].info.run_id == first["table1 (tiny)"].info.run_id
    assert {run.info.status for run in last.values()} == {"FINISHED"}
    assert steps(client, last["RDTF"]) == [0, 1, 2, 3]
    assert last["RDTF"].data.metrics["fvd"] == 2.5
    assert last["RDTF"].info.end_time - last["RDTF"].info.start_time == 1500  # 1.5 s in the record


def finished_table(planned: Planned, root: Path) -> table_runs.Table:
    """Return the table of these cells as if all of them were measured."""
    rows = []
    for cell in planned[1]:
        made = replace(planted_record(), cell_id=cell.id, kind=cell.kind, method=cell.method)
        path = record.save(made, root / "records")
        rows.append(table_runs.Row(label=cell.name, record=made, record_path=path, log=[]))
    return table_runs.Table(name="table1", scale="tiny", rows=rows, pictures=[], description="")


def test_runs_that_a_killed_process_left_running_are_ended_by_the_next_table_of_the_store(
    planned: Planned, start: Callable[..., LiveTable], client: "MlflowClient", root: Path
) -> None:
    train(planned, "RDTF", 0)
    with Leases(root) as killed:
        start(leases=killed).log_new()
    other = start("table4")
    train(planned, "SimDA", 0)
    other.log_new()
    statuses = [(run.info.run_name, run.info.status) for run in client.search_runs(["1"])]
    assert ("table1 (tiny)", "KILLED") in statuses
    assert ("table4 (tiny)", "RUNNING") in statuses
    assert ("SimDA", "RUNNING") in statuses


def test_two_commands_at_once_leave_each_other_s_runs_alone(
    planned: Planned, start: Callable[..., LiveTable], client: "MlflowClient"
) -> None:
    first, second, same = start(), start("table4"), start()
    train(planned, "RDTF", 0, 1)
    for running in (first, second):
        running.log_new()
    found = sorted((run.info.run_name, run.info.status) for run in client.search_runs(["1"]))
    once = [("RDTF", "RUNNING"), ("RDTF", "RUNNING"), ("table1 (tiny)", "RUNNING"), ("table4 (tiny)", "RUNNING")]
    assert found == once
    assert not same.is_logging  # the first command logs this table
    first.end(finished=True)
    assert start().is_logging


def test_a_line_that_is_still_being_written_is_read_when_it_is_whole(planned: Planned, tmp_path: Path) -> None:
    path = tmp_path / "log.jsonl"
    training = live.Training(cell=planned[1][0], logs=(path, tmp_path / "later.jsonl"))
    assert training.new_entries() == []
    path.write_text('{"step": 0}\n{"st')
    assert training.new_entries() == [{"step": 0}]
    assert training.new_entries() == []
    path.write_text('{"step": 0}\n{"step": 1}\n{"step": 2}\n')
    path.rename(tmp_path / "later.jsonl")  # as a finished training is moved
    assert training.new_entries() == [{"step": 1}, {"step": 2}]


def test_rows_that_are_trained_are_not_followed_and_shared_weights_only_once(planned: Planned) -> None:
    bench, cells = planned
    labels = [training.cell.label for training in live.trainings(bench, [*cells, replace(cells[0], label="again")])]
    assert sorted(labels) == ["Customize-A-Video", "I2V-Adapter", "RDTF", "SimDA"]
    train(planned, "RDTF", 0)
    bench.store.finish("fit", next(cell.fit_key for cell in cells if cell.label == "RDTF"))
    assert "RDTF" not in [training.cell.label for training in live.trainings(bench, cells)]


def test_the_first_failure_is_printed_and_ends_the_logging(
    planned: Planned,
    start: Callable[..., LiveTable],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object) -> None:
        raise TrackingError("http://a: no answer")

    monkeypatch.setattr(live, "PAUSE_S", 0.0)
    monkeypatch.setattr(live, "open_experiment", fail)
    train(planned, "RDTF", 0)
    running = start()
    running.follow(threading.Event())  # it would never end if it went on
    running.end(finished=True)
    assert capsys.readouterr().err.count("logging to MLflow failed: http://a: no answer. No number is lost") == 1


def test_a_damaged_log_ends_the_logging_and_costs_no_result(
    planned: Planned,
    start: Callable[..., LiveTable],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(live, "PAUSE_S", 0.0)
    bench, cells = planned
    (bench.store.unfinished("fit", cells[0].fit_key) / "log.jsonl").write_text('{"step": 0, "lo{"step": 1}\n')
    running = start()
    running.follow(threading.Event())
    running.end(finished=True)
    assert "logging to MLflow failed" in capsys.readouterr().err


@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_an_error_in_the_run_kills_its_runs_and_is_raised(
    error: type[BaseException] | None, planned: Planned, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends: list[bool] = []
    monkeypatch.setattr(LiveTable, "end", lambda _, *, finished: ends.append(finished))
    watching = live.watching("table1", "tiny", uri=server.default_uri(root), root=root)
    if error is None:
        with Leases(root) as leases, watching(*planned, leases):
            pass
    else:
        with pytest.raises(error), Leases(root) as leases, watching(*planned, leases):
            raise error
    assert ends == [error is None]


def test_the_load_of_the_machine_is_logged_to_the_table_after_a_minute(
    planned: Planned,
    start: Callable[..., LiveTable],
    client: "MlflowClient",
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    monitored: list[str] = []
    monkeypatch.setattr(SystemMetricsMonitor, "start", lambda monitor: monitored.append(monitor._run_id))
    monkeypatch.setattr(SystemMetricsMonitor, "finish", lambda _: monitored.append("finished"))
    running = start()
    train(planned, "RDTF", 0)
    running.log_new()
    assert monitored == []
    monkeypatch.setattr(live, "SYSTEM_AFTER_S", -1.0)
    running.log_new()
    running.log_new()
    running.end(finished=True)
    assert monitored == [runs(client)["table1 (tiny)"].info.run_id, "finished"]
