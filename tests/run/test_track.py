import dataclasses
import shutil
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from rdtf_bench.core.errors import StoreError, TrackingError
from rdtf_bench.run import record, track
from tests.planted import record as planted_record
from tests.planted import score

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own
LOG: list[dict[str, int | float]] = [{"step": step, "loss": 1.0 / (step + 1)} for step in range(3)]


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow database with the experiment, which takes seconds to make."""
    root = tmp_path_factory.mktemp("fresh")
    track._open(track.default_uri(root), root)
    with closing(sqlite3.connect(root / "mlflow.db")) as connection:
        connection.execute("VACUUM INTO ?", (str(root / "copy.db"),))
    return root / "copy.db"


@pytest.fixture
def root(fresh: Path, tmp_path: Path) -> Path:
    """A store whose database holds no run."""
    shutil.copy(fresh, tmp_path / "mlflow.db")
    return tmp_path


@pytest.fixture
def client(root: Path) -> "MlflowClient":
    return track._client(track.default_uri(root))


@pytest.fixture
def table(root: Path) -> track.Table:
    """Two rows of one table with a picture."""
    rows = []
    for name in ("a", "b"):
        made = planted_record(cell_id=name)
        path = record.save(made, root / "records")
        rows.append(track.Row(label=f"row {name}", record=made, record_path=path, log=LOG))
    picture = root / "samples.gif"
    picture.write_bytes(b"GIF89a")
    return track.Table(name="table1", scale="tiny", rows=rows, pictures=[picture])


@pytest.fixture
def log(root: Path, table: track.Table) -> Callable[[], int]:
    return lambda: track.log(table, uri=track.default_uri(root), root=root)


def runs(client: "MlflowClient") -> "dict[str, Run]":
    """Return the runs that are not deleted by name, which must differ."""
    experiment = client.get_experiment_by_name(track.EXPERIMENT)
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id])
    names = {str(run.info.run_name): run for run in found}
    assert len(names) == len(found)
    return names


def steps(client: "MlflowClient", run: "Run") -> list[int]:
    return sorted(point.step for point in client.get_metric_history(run.info.run_id, "train/loss"))


def files(client: "MlflowClient", run: "Run") -> list[str]:
    return [file.path for file in client.list_artifacts(run.info.run_id)]


def training(root: Path, log: list[dict[str, int | float]], names: list[str]) -> track.TrainingRun:
    for name in names:
        (root / name).write_bytes(b"GIF89a")
    return track.TrainingRun(
        name="finetune simda",
        parameters={"training": {"task": "it2v"}},
        log=log,
        files=[root / name for name in names],
        uri=track.default_uri(root),
        root=root,
    )


def fail(*_: object, **__: object) -> None:
    raise OSError("the server died")


@pytest.mark.slow
def test_a_row_can_be_found_again_with_its_curve_interval_tags_and_record(
    log: Callable[[], int], client: "MlflowClient"
) -> None:
    assert log() == 3
    found = runs(client)
    parent, child = found["table1 (tiny)"], found["row a"]
    assert child.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert child.data.metrics["fvd"] == 2.5
    assert child.data.metrics["fvd/ci_low"] == 2.0
    assert child.data.metrics["fvd/n"] == 128
    assert child.data.params == {"fit.options.curriculum": "adaptive", "sample.batch_size": "16"}
    assert child.data.tags["yardstick.fvd"] == "enet-lite0 96px"
    assert child.data.tags["commit"] == "abc"
    assert [point.value for point in client.get_metric_history(child.info.run_id, "train/loss")] == [1.0, 0.5, 1 / 3]
    assert files(client, child) == ["a.json"]
    assert files(client, parent) == ["samples.gif"]
    assert log() == 0


def test_a_log_that_broke_off_is_continued(
    log: Callable[[], int], client: "MlflowClient", monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    with monkeypatch.context() as dying:
        whole = MlflowClient.log_artifact
        dying.setattr(MlflowClient, "log_artifact", lambda *given: fail() if "b.json" in given[2] else whole(*given))
        with pytest.raises(TrackingError, match=r"mlflow\.db: OSError: the server died"):
            log()
    assert {name: run.info.status for name, run in runs(client).items()} == {
        "table1 (tiny)": "RUNNING",
        "row a": "FINISHED",
        "row b": "RUNNING",
    }
    assert log() == 2
    found = runs(client)
    assert {run.info.status for run in found.values()} == {"FINISHED"}
    assert steps(client, found["row a"]) == steps(client, found["row b"]) == [0, 1, 2]
    assert files(client, found["row b"]) == ["b.json"]
    assert log() == 0


def test_a_run_that_the_server_no_longer_has_is_logged_anew(
    log: Callable[[], int], client: "MlflowClient", root: Path
) -> None:
    log()
    for run in runs(client).values():
        client.delete_run(run.info.run_id)
    assert log() == 3
    (mark,) = (root / "tracked").iterdir()
    assert mark.read_text() == runs(client)["table1 (tiny)"].info.run_id
    mark.write_text("0" * 32)  # an id of another database
    for run in runs(client).values():
        client.delete_run(run.info.run_id)
    assert log() == 3


def test_a_deleted_experiment_is_restored_with_its_runs(
    log: Callable[[], int], client: "MlflowClient", capsys: pytest.CaptureFixture[str]
) -> None:
    log()
    experiment = client.get_experiment_by_name(track.EXPERIMENT)
    assert experiment is not None
    client.delete_experiment(experiment.experiment_id)
    assert log() == 0
    assert "the experiment rdtf-bench was deleted in MLflow" in capsys.readouterr().err
    assert len(runs(client)) == 3


def test_a_database_that_holds_the_run_is_asked_without_mlflow(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    assert not track._is_finished(path, "a")
    assert not path.exists()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE runs (run_uuid, status, lifecycle_stage)")
        states = [("a", "FINISHED", "active"), ("b", "FINISHED", "deleted"), ("c", "RUNNING", "active")]
        connection.executemany("INSERT INTO runs VALUES (?, ?, ?)", states)
        connection.commit()
    assert [track._is_finished(path, run_id) for run_id in "abcd"] == [True, False, False, False]


def test_a_training_run_is_brought_up_to_date_from_the_files(client: "MlflowClient", root: Path) -> None:
    first = training(root, LOG[:1], ["1.gif"])
    first.metrics(1, {"loss": 0.5, "odd": float("nan")})
    assert runs(client)["finetune simda"].info.status == "RUNNING"
    again = training(root, LOG, ["1.gif", "2.gif"])
    assert again.changed
    again.end(finished=True)
    run = runs(client)["finetune simda"]
    assert run.data.params == {"training.task": "it2v"}
    assert steps(client, run) == [0, 1, 2]
    assert files(client, run) == ["1.gif", "2.gif"]
    assert run.info.status == "FINISHED"
    last = training(root, LOG, ["1.gif", "2.gif"])
    last.end(finished=True)
    assert not last.changed


def test_a_failure_costs_the_log_only_and_says_how_to_log_later(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused() -> None:
        with track._failures("http://127.0.0.1:1"):
            raise ValueError("long story") from ConnectionRefusedError(111, "Connection refused")

    assert not track.attempt(refused, uri="http://127.0.0.1:1", root=tmp_path)
    assert capsys.readouterr().err == (
        "rdtf-bench: WARNING: logging to MLflow failed: http://127.0.0.1:1: ConnectionRefusedError: [Errno 111] "
        f"Connection refused. No number is lost, all results are in {tmp_path}. To log them later: rdtf-bench sync "
        f"--store {tmp_path} --tracking-uri http://127.0.0.1:1\n"
    )
    assert track.attempt(lambda: None, uri="http://127.0.0.1:1", root=tmp_path)
    assert capsys.readouterr().err == ""
    with pytest.raises(ZeroDivisionError):  # not of MLflow: a bug keeps its traceback
        track.attempt(lambda: 1 / 0, uri="http://127.0.0.1:1", root=tmp_path)


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that is bound, so that no other process takes it, and refuses connections."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("./mlruns", r"^\./mlruns: is a folder of files, which MLflow no longer logs to\. Give --tracking-uri or"),
        ("file:/tmp/mlruns", "is a folder of files"),
        ("htp://localhost", "MLflow knows no address of the kind 'htp'"),
        ("http://", "names no host"),
        ("http://[::1", "Invalid IPv6 URL"),
        (
            "http://127.0.0.1:PORT",
            r"no MLflow server answers: ConnectionRefusedError: \[Errno 111\] Connection refused\.",
        ),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite:/tmp/mlflow.db", "names no file, as sqlite:///mlflow.db or sqlite:////tmp/mlflow.db do"),
        ("sqlite:///ROOT/no/mlflow.db", "there is no folder .*/no. Give"),
        ("sqlite:///ROOT/folder", "folder is a folder, not a database"),
        ("sqlite:///ROOT/text.db", "text.db cannot be opened with SQLite: file is not a database"),
        ("sqlite:///ROOT/mlflow.db", "file is not a database. Move it away, or give --tracking-uri"),
    ],
)
def test_a_uri_that_cannot_work_is_refused_with_the_way_out(
    uri: str, said: str, tmp_path: Path, closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    (tmp_path / "folder").mkdir()
    for name in ("text.db", "mlflow.db"):
        (tmp_path / name).write_text("not a database" * 100)
    with pytest.raises(TrackingError, match=said):
        track.require_usable(uri.replace("ROOT", str(tmp_path)).replace("PORT", str(closed_port)), tmp_path)


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, _: path != tmp_path)
    with pytest.raises(TrackingError, match=f"{tmp_path} cannot be written"):
        track.require_usable(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "runs")


def test_a_database_that_is_not_there_yet_is_made(tmp_path: Path) -> None:
    track.require_usable(f"sqlite:///{tmp_path / 'other.db'}?timeout=9", tmp_path / "runs")
    track.require_usable(track.default_uri(tmp_path / "runs"), tmp_path / "runs")  # the run makes its store
    assert list(tmp_path.iterdir()) == []


def test_the_flag_wins_over_the_environment_over_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert track.tracking_uri(None, tmp_path) == f"sqlite:///{tmp_path.resolve()}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    assert track.tracking_uri(None, tmp_path) == "http://127.0.0.1:1"
    assert track.tracking_uri("http://127.0.0.1:2", tmp_path) == "http://127.0.0.1:2"


def test_a_ui_on_nothing_is_refused(tmp_path: Path) -> None:
    for uri in (track.default_uri(tmp_path), f"sqlite:///{tmp_path / 'other.db'}"):
        with pytest.raises(StoreError, match=r"\.db: nothing has been logged there yet"):
            track.ui_command(uri, tmp_path, host="127.0.0.1", port=5000)


def test_a_table_is_logged_again_only_when_its_scores_change(tmp_path: Path, table: track.Table) -> None:
    def scored_anew(row: track.Row) -> track.Row:
        return dataclasses.replace(row, record=planted_record(cell_id="a", scores={"fvd": score(key="another")}))

    other: Any = dataclasses.replace(table, rows=[scored_anew(table.rows[0]), *table.rows[1:]])
    places = {track._mark(tmp_path, uri, one) for uri in ("http://a", "http://b") for one in (table, other)}
    assert len(places) == 4
    assert track._mark(tmp_path, "http://a", table) in places
