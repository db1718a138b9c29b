"""Which URIs are refused, which one is used, and what a failure of MLflow costs."""

import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rdtf_bench.core.errors import StoreError, TrackingError
from rdtf_bench.run.tracking import server

if TYPE_CHECKING:
    from mlflow import MlflowClient

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own


def test_a_database_that_holds_the_run_is_asked_without_mlflow(tmp_path: Path) -> None:
    path = tmp_path / "mlflow.db"
    assert not server.is_finished(path, "a")
    assert not path.exists()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE runs (run_uuid, status, lifecycle_stage)")
        states = [("a", "FINISHED", "active"), ("b", "FINISHED", "deleted"), ("c", "RUNNING", "active")]
        connection.executemany("INSERT INTO runs VALUES (?, ?, ?)", states)
        connection.commit()
    assert [server.is_finished(path, run_id) for run_id in "abcd"] == [True, False, False, False]


def test_a_failure_costs_the_log_only_and_says_how_to_log_later(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused() -> None:
        with server.failures("http://127.0.0.1:1"):
            raise ValueError("long story") from ConnectionRefusedError(111, "Connection refused")

    assert not server.attempt(refused, uri="http://127.0.0.1:1", root=tmp_path)
    assert capsys.readouterr().err == (
        "rdtf-bench: WARNING: logging to MLflow failed: http://127.0.0.1:1: ConnectionRefusedError: [Errno 111] "
        f"Connection refused. No number is lost, all results are in {tmp_path}. To log them later: rdtf-bench sync "
        f"--store {tmp_path} --tracking-uri http://127.0.0.1:1\n"
    )
    assert server.attempt(lambda: None, uri="http://127.0.0.1:1", root=tmp_path)
    assert capsys.readouterr().err == ""
    with pytest.raises(ZeroDivisionError):  # not of MLflow: a bug keeps its traceback
        server.attempt(lambda: 1 / 0, uri="http://127.0.0.1:1", root=tmp_path)


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
        server.require_usable(uri.replace("ROOT", str(tmp_path)).replace("PORT", str(closed_port)), tmp_path)


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, _: path != tmp_path)
    with pytest.raises(TrackingError, match=f"{tmp_path} cannot be written"):
        server.require_usable(f"sqlite:///{tmp_path / 'mlflow.db'}", tmp_path / "runs")


def test_a_database_that_is_not_there_yet_is_made(tmp_path: Path) -> None:
    server.require_usable(f"sqlite:///{tmp_path / 'other.db'}?timeout=9", tmp_path / "runs")
    server.require_usable(server.default_uri(tmp_path / "runs"), tmp_path / "runs")  # the run makes its store
    assert list(tmp_path.iterdir()) == []


def test_an_experiment_that_another_machine_makes_at_the_same_moment_is_taken(
    root: Path, client: "MlflowClient", monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    there = client.get_experiment_by_name(server.EXPERIMENT)
    assert there is not None
    whole, asked = MlflowClient.get_experiment_by_name, []

    def too_early(one: MlflowClient, name: str) -> object:
        asked.append(name)
        return whole(one, name) if len(asked) > 1 else None

    monkeypatch.setattr(MlflowClient, "get_experiment_by_name", too_early)
    assert server.open_experiment(server.default_uri(root), root)[1] == there.experiment_id


def test_artifacts_stand_beside_their_database_not_in_the_store_that_logged_first(root: Path, tmp_path: Path) -> None:
    client, experiment = server.open_experiment(f"sqlite:///{tmp_path / 'shared.db'}", root / "store")
    found = client.get_experiment(experiment)
    assert found.artifact_location == (tmp_path / "mlflow-artifacts").as_uri()


def test_the_flag_wins_over_the_environment_over_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert server.tracking_uri(None, tmp_path) == f"sqlite:///{tmp_path.resolve()}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    assert server.tracking_uri(None, tmp_path) == "http://127.0.0.1:1"
    assert server.tracking_uri("http://127.0.0.1:2", tmp_path) == "http://127.0.0.1:2"


def test_a_ui_on_nothing_is_refused(tmp_path: Path) -> None:
    for uri in (server.default_uri(tmp_path), f"sqlite:///{tmp_path / 'other.db'}"):
        with pytest.raises(StoreError, match=r"\.db: nothing has been logged there yet"):
            server.ui_command(uri, tmp_path, host="127.0.0.1", port=5000)
