"""Log results to MLflow. The only module that imports mlflow.

MLflow holds a copy of what is on disk, and the server itself is asked what it holds. A table is one parent run with one
child run per row; a fine-tuning is one run. Whatever fails here raises TrackingError, and `attempt` makes it a warning.
"""

import math
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rdtf_bench.core.errors import StoreError, TrackingError
from rdtf_bench.core.store import key_of, write_text
from rdtf_bench.run.record import Record
from rdtf_bench.run.table.finished import LogRow

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

EXPERIMENT = "rdtf-bench"
TAGS = {"mlflow.experimentKind": "custom_model_development"}  # the UI opens on runs and metrics, not on prompts
UI_ENVIRONMENT = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
CLIENT_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",  # else it tells how it makes its tables
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",  # stdout is for the result
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # MLflow's own defaults wait four minutes for a dead server
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",  # seconds
}
METRICS_AT_ONCE = 1000  # MLflow's limits for one batch
PARAMS_AT_ONCE = 100
PARAM_LENGTH = 6000


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a table, logged as a child run."""

    label: str
    record: Record
    record_path: Path
    log: Sequence[LogRow]  # one entry a training step


@dataclass(frozen=True, kw_only=True)
class Table:
    """A finished table, logged as a parent run."""

    name: str
    scale: str
    rows: Sequence[Row]
    pictures: Sequence[Path]


def default_uri(root: Path) -> str:
    return f"sqlite:///{(root / 'mlflow.db').resolve()}"


def tracking_uri(given: str | None, root: Path) -> str:
    """Return the flag's value, else MLFLOW_TRACKING_URI, else a database in the store."""
    return given or os.environ.get("MLFLOW_TRACKING_URI") or default_uri(root)


def require_usable(uri: str, root: Path) -> None:
    """Raise TrackingError if nothing can be logged to this URI. A database in `root` may be absent, and `root` too."""
    try:
        if _is_sqlite(uri):
            _require_database(uri, root)
        else:
            _require_server(uri)
    except TrackingError as error:
        default = default_uri(root)
        way_out = "Move it away, or give" if uri == default else "Give"
        way_out += " --tracking-uri or MLFLOW_TRACKING_URI a database (sqlite:///mlflow.db) or a running server"
        way_out += " (http://127.0.0.1:5000)" if uri == default else f"; without both, {default} is used"
        raise TrackingError(f"{error}. {way_out}") from error


def is_server(uri: str) -> bool:
    """Return whether the URI names a server, which has a UI of its own."""
    return uri.startswith(("http://", "https://"))


def attempt(log: Callable[[], object], *, uri: str, root: Path) -> bool:
    """Call `log` and return whether it succeeded. A TrackingError costs the log only: it is printed, not raised."""
    try:
        log()
    except TrackingError as error:
        to = "" if uri == default_uri(root) else f" --tracking-uri {uri}"
        print(
            f"rdtf-bench: WARNING: logging to MLflow failed: {error}. No number is lost, all results are in {root}. To "
            f"log them later: rdtf-bench sync --store {root}{to}",
            file=sys.stderr,
        )
        return False
    return True


def ui_command(uri: str, root: Path, *, host: str, port: int) -> list[str]:
    """Return the command that starts the MLflow UI on a database; StoreError if nothing has been logged to it."""
    require_usable(uri, root)
    if _is_sqlite(uri) and not _database(uri).is_file():  # the UI's several processes would break a fresh file
        raise StoreError(
            f"{_database(uri)}: nothing has been logged there yet. Run a table first: rdtf-bench run table1"
        )
    return [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", uri, "--host", host, "--port", str(port)]


def log(table: Table, *, uri: str, root: Path) -> int:
    """Log what the server lacks of a table, and return the number of runs that were made or completed."""
    mark = _mark(root, uri, table)
    if _is_sqlite(uri) and mark.is_file() and _is_finished(_database(uri), mark.read_text(encoding="utf-8")):
        return 0
    with _failures(uri):
        client, experiment = _open(uri, root)
        parent = _kept_run(client, mark)
        if parent is None:
            tags = {"protocol": table.name, "scale": table.scale}
            parent = client.create_run(experiment, run_name=f"{table.name} ({table.scale})", tags=tags)
            write_text(mark, parent.info.run_id)
        if parent.info.status == "FINISHED":
            return 0
        parent_id = parent.info.run_id
        children = client.search_runs([experiment], f"tags.`mlflow.parentRunId` = '{parent_id}'")
        begun = {run.data.tags.get("cell_id"): run for run in children}
        left = [row for row in table.rows if not _is_done(begun.get(row.record.cell_id))]
        for row in left:
            _log_row(client, experiment, parent_id, row, begun.get(row.record.cell_id))
        _complete(client, parent, parameters={}, points=[], files=table.pictures)
        client.set_terminated(parent_id)
        return 1 + len(left)


class TrainingRun:
    """The run of one training, which may be logged while it trains. A resumed training continues in the same run.

    A new object logs first what the server lacks of the steps and files that are on disk. `changed` says whether
    anything had to be logged.
    """

    def __init__(
        self,
        *,
        name: str,
        parameters: Mapping[str, object],
        log: Sequence[LogRow],
        files: Sequence[Path],
        uri: str,
        root: Path,
    ) -> None:
        self._uri = uri
        mark = root / "tracked" / key_of([uri, name])
        with _failures(uri):
            self._client, experiment = _open(uri, root)
            run = _kept_run(self._client, mark)
            if run is None:
                run = self._client.create_run(experiment, run_name=name)
                write_text(mark, run.info.run_id)
            self._run_id, self._status = str(run.info.run_id), str(run.info.status)
            self.changed = _complete(
                self._client, run, parameters=flat(parameters), points=_curve(log, run.info.start_time), files=files
            )

    def metrics(self, step: int, measured: Mapping[str, float]) -> None:
        with _failures(self._uri):
            if self._status != "RUNNING":
                self._client.update_run(self._run_id, status="RUNNING")
                self._status = "RUNNING"
            for name, value in measured.items():
                if math.isfinite(value):
                    self._client.log_metric(self._run_id, f"train/{name}", value, step=step)

    def artifact(self, path: Path) -> None:
        with _failures(self._uri):
            self._client.log_artifact(self._run_id, str(path))

    def end(self, *, finished: bool) -> None:
        status = "FINISHED" if finished else "KILLED"
        if status != self._status:
            with _failures(self._uri):
                self._client.set_terminated(self._run_id, status=status)
            self._status, self.changed = status, True


def flat(nested: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """Return nested options under dotted names.

    >>> flat({"training": {"task": "it2v"}, "size_px": 64})
    {'training.task': 'it2v', 'size_px': 64}
    """
    options: dict[str, object] = {}
    for name, value in nested.items():
        options |= flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: value}
    return options


@contextmanager
def _failures(where: str) -> Iterator[None]:
    """Raise every failure of the block as TrackingError whose message begins with `where`.

    MLflow raises its own errors, those of SQLAlchemy, requests and the operating system, and plain ValueError; none of
    them may cost a result. So this is the one place that catches Exception.
    """
    try:
        yield
    except TrackingError:
        raise
    except Exception as error:
        raise TrackingError(f"{where}: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    """Return the first line of an error: of the operating system's error that caused it, where there is one."""
    chain: list[BaseException] = []
    cause: BaseException | None = error
    while cause is not None:
        chain.append(cause)
        cause = cause.__cause__ or cause.__context__
    told = next((cause for cause in reversed(chain) if isinstance(cause, OSError)), error)
    first, *_ = str(told).strip().splitlines() or [""]
    return f"{type(told).__name__}: {first.rstrip('.')}"


def _is_sqlite(uri: str) -> bool:
    return uri.startswith("sqlite:")


def _database(uri: str) -> Path:
    return Path(uri.removeprefix("sqlite:///").partition("?")[0])


def _require_database(uri: str, root: Path) -> None:
    """Raise TrackingError for a database that cannot be opened or made.

    MLflow would try for minutes to open some of these.
    """
    database = _database(uri)
    folder = database.parent
    if not uri.startswith("sqlite:///") or database.name in ("", ":memory:"):
        raise TrackingError(f"{uri}: names no file, as sqlite:///mlflow.db or sqlite:////tmp/mlflow.db do")
    if not folder.is_dir():
        if folder.resolve() == root.resolve():  # the run makes its store
            return
        raise TrackingError(f"{uri}: there is no folder {folder}")
    if database.is_dir():
        raise TrackingError(f"{uri}: {database} is a folder, not a database")
    if odd := [path for path in (folder, database) if path.exists() and not os.access(path, os.W_OK)]:
        raise TrackingError(f"{uri}: {odd[0]} cannot be written")
    if database.is_file():
        try:
            with closing(sqlite3.connect(database)) as connection:
                connection.execute("PRAGMA schema_version")
        except sqlite3.Error as error:
            raise TrackingError(f"{uri}: {database} cannot be opened with SQLite: {error}") from error


def _require_server(uri: str) -> None:
    """Raise TrackingError unless an MLflow server, or a database other than SQLite, answers."""
    with _failures(f"{uri}: no MLflow server answers" if is_server(uri) else uri):
        place = urlsplit(uri)
        if place.scheme in ("", "file") and uri != "databricks":
            raise TrackingError(f"{uri}: is a folder of files, which MLflow no longer logs to")
        if is_server(uri) and not place.hostname:
            raise TrackingError(f"{uri}: names no host")
        from mlflow.tracking.registry import UnsupportedModelRegistryStoreURIException

        try:
            client = _client(uri)
        except UnsupportedModelRegistryStoreURIException:
            raise TrackingError(f"{uri}: MLflow knows no address of the kind {place.scheme!r}") from None
        client.get_experiment_by_name(EXPERIMENT)


def _client(uri: str) -> "MlflowClient":
    for name, value in CLIENT_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)  # not mlflow.set_tracking_uri: it changes the environment


def _open(uri: str, root: Path) -> "tuple[MlflowClient, str]":
    """Return a client, and the id of the experiment, which is made or restored where needed."""
    if _is_sqlite(uri):
        _require_database(uri, root)
    client = _client(uri)
    found = client.get_experiment_by_name(EXPERIMENT)
    if found is None:
        return client, _new_experiment(client, uri, root)
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
        print(
            f"rdtf-bench: the experiment {EXPERIMENT} was deleted in MLflow ({uri}). It is restored, with its runs.",
            file=sys.stderr,
        )
    return client, str(found.experiment_id)


def _new_experiment(client: "MlflowClient", uri: str, root: Path) -> str:
    if not _is_sqlite(uri):
        return str(client.create_experiment(EXPERIMENT, tags=TAGS))
    _use_write_ahead_log(_database(uri))
    artifacts = (root / "mlflow-artifacts").resolve()
    return str(client.create_experiment(EXPERIMENT, artifact_location=artifacts.as_uri(), tags=TAGS))


def _use_write_ahead_log(database: Path) -> None:
    """Set SQLite's write-ahead log, which makes most calls several times faster; the file keeps the setting."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")


def _is_finished(database: Path, run_id: str) -> bool:
    """Ask an SQLite file for a finished run without MLflow, whose start takes longer than a run with nothing to do.

    False also for a file that cannot be asked: then MLflow is asked.
    """
    query = "SELECT 1 FROM runs WHERE run_uuid = ? AND status = 'FINISHED' AND lifecycle_stage = 'active'"
    try:
        with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            return connection.execute(query, (run_id,)).fetchone() is not None
    except sqlite3.Error:
        return False


def _kept_run(client: "MlflowClient", mark: Path) -> "Run | None":
    """Return the run whose id the mark holds; None if the server has no such run, or it was deleted there."""
    from mlflow import MlflowException

    if not mark.is_file():
        return None
    try:
        run = client.get_run(mark.read_text(encoding="utf-8"))
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise
    return run if run.info.lifecycle_stage == "active" else None


def _is_done(run: "Run | None") -> bool:
    return run is not None and run.info.status == "FINISHED"


def _log_row(client: "MlflowClient", experiment: str, parent_id: str, row: Row, begun: "Run | None") -> None:
    """Log a row as a child run; `begun` is its run from a call that broke off."""
    from mlflow.entities import Metric

    record = row.record
    tags = {"mlflow.parentRunId": parent_id, **_tags(record)}
    run = begun or client.create_run(experiment, run_name=row.label, tags=tags)
    at_ms = run.info.start_time
    # the identities of the scores stand in the record
    parameters = flat({name: part for name, part in record.config.items() if name != "scores"})
    points = [Metric(name, value, at_ms, 0) for name, value in _final(record).items()] + _curve(row.log, at_ms)
    _complete(client, run, parameters=parameters, points=points, files=[row.record_path])
    client.set_terminated(run.info.run_id)


def _curve(log: Sequence[LogRow], at_ms: int) -> "list[Metric]":
    """Return the points of a training log, without values that are not finite."""
    from mlflow.entities import Metric

    return [
        Metric(f"train/{name}", value, at_ms, int(entry["step"]))
        for entry in log
        for name, value in entry.items()
        if name != "step" and math.isfinite(value)
    ]


def _complete(
    client: "MlflowClient",
    run: "Run",
    *,
    parameters: Mapping[str, object],
    points: "Sequence[Metric]",
    files: Sequence[Path],
) -> bool:
    """Log what a run lacks of these, and return whether it lacked anything."""
    from mlflow.entities import Param

    run_id = run.info.run_id
    params = [
        Param(name, str(value)[:PARAM_LENGTH]) for name, value in parameters.items() if name not in run.data.params
    ]
    steps = {name: {point.step for point in client.get_metric_history(run_id, name)} for name in run.data.metrics}
    points = [point for point in points if point.step not in steps.get(point.key, ())]
    there = {file.path for file in client.list_artifacts(run_id)}
    files = [path for path in files if path.name not in there]
    for start in range(0, len(params), PARAMS_AT_ONCE):
        client.log_batch(run_id, params=params[start : start + PARAMS_AT_ONCE])
    for start in range(0, len(points), METRICS_AT_ONCE):
        client.log_batch(run_id, metrics=points[start : start + METRICS_AT_ONCE])
    for path in files:
        client.log_artifact(run_id, str(path))
    return bool(params or points or files)


def _final(record: Record) -> dict[str, float]:
    """Return each score with the ends of its interval and n, and the costs of the row."""
    values: dict[str, float] = {}
    for name, score in record.scores.items():
        values |= {name: score.value, f"{name}/ci_low": score.ci_low, f"{name}/ci_high": score.ci_high}
        values[f"{name}/n"] = float(score.n)
        for part, found in score.parts.items():
            values |= {f"{name}/{part}": found.value}
    values |= {f"cost/{stage}_s": seconds for stage, seconds in record.stage_seconds.items()}
    if record.peak_memory_gib is not None:
        values["cost/peak_memory_gib"] = record.peak_memory_gib
    return values | {f"cost/{part}_parameters": float(count) for part, count in record.components.items()}


def _tags(record: Record) -> dict[str, str]:
    """Return the tags of a run, with the same keys in every run so that runs can be compared side by side."""
    return {
        "protocol": record.protocol,
        "protocol_version": str(record.protocol_version),
        "scale": record.scale,
        "method": record.method,
        "kind": record.kind,
        "dataset": record.dataset,
        "data_source": str(record.data["source"]),
        "task": record.task,
        "seed": str(record.seed),
        "cell_id": record.cell_id,
        "commit": str(record.environment["commit"]),
        "dirty_files": str(len(record.environment["dirty_files"] or [])),
        **{f"yardstick.{name}": score.yardstick for name, score in record.scores.items()},
        **{
            f"direction.{name}": "higher is better" if score.higher_is_better else "lower is better"
            for name, score in record.scores.items()
        },
    }


def _mark(root: Path, uri: str, table: Table) -> Path:
    """Return the file that keeps the id of the parent run of a table with these scores on this server."""
    rows = [[row.record.cell_id, sorted(score.key for score in row.record.scores.values())] for row in table.rows]
    return root / "tracked" / key_of([uri, table.name, table.scale, rows])
