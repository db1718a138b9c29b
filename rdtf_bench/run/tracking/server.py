"""Reaches MLflow: finds the server or database of a URI, refuses one that cannot work, and opens the experiment.

Whatever fails here raises TrackingError, and `attempt` makes it a warning.
"""

import os
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rdtf_bench.core.errors import StoreError, TrackingError

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Run

EXPERIMENT = "rdtf-bench"
LEASE = "mlflow"
"""Lease of what breaks MLflow or doubles its runs if two commands do it at once, such as to make its database."""
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


def default_uri(root: Path) -> str:
    """Return the URI of the database in a store."""
    return f"sqlite:///{(root / 'mlflow.db').resolve()}"


def tracking_uri(given: str | None, root: Path) -> str:
    """Return the flag's value, else MLFLOW_TRACKING_URI, else a database in the store."""
    return given or os.environ.get("MLFLOW_TRACKING_URI") or default_uri(root)


def require_usable(uri: str, root: Path) -> None:
    """Raise TrackingError if nothing can be logged to this URI. A database in `root` may be absent, and `root` too."""
    try:
        if is_sqlite(uri):
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
    if is_sqlite(uri) and not database_of(uri).is_file():  # the UI's several processes would break a fresh file
        raise StoreError(
            f"{database_of(uri)}: nothing has been logged there yet. Run a table first: rdtf-bench run table1"
        )
    return [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", uri, "--host", host, "--port", str(port)]


@contextmanager
def failures(where: str) -> Iterator[None]:
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


def open_experiment(uri: str, root: Path) -> "tuple[MlflowClient, str]":
    """Return a client, and the id of the experiment, which is made or restored where needed."""
    if is_sqlite(uri):
        _require_database(uri, root)
    client = connect(uri)
    found = client.get_experiment_by_name(EXPERIMENT)
    if found is None:
        return client, _new_experiment(client, uri)
    if found.lifecycle_stage == "deleted":
        client.restore_experiment(found.experiment_id)
        print(
            f"rdtf-bench: the experiment {EXPERIMENT} was deleted in MLflow ({uri}). It is restored, with its runs.",
            file=sys.stderr,
        )
    return client, str(found.experiment_id)


def connect(uri: str) -> "MlflowClient":
    """Return a client of this server or database that gives up soon where nobody answers."""
    for name, value in CLIENT_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)  # not mlflow.set_tracking_uri: it changes the environment


def kept_run(client: "MlflowClient", mark: Path) -> "Run | None":
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


def is_finished(database: Path, run_id: str) -> bool:
    """Ask an SQLite file for a finished run without MLflow, whose start takes longer than a run with nothing to do.

    False also for a file that cannot be asked: then MLflow is asked.
    """
    query = "SELECT 1 FROM runs WHERE run_uuid = ? AND status = 'FINISHED' AND lifecycle_stage = 'active'"
    try:
        with closing(sqlite3.connect(f"{database.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            return connection.execute(query, (run_id,)).fetchone() is not None
    except sqlite3.Error:
        return False


def is_sqlite(uri: str) -> bool:
    """Return whether a URI names a database file on this machine."""
    return uri.startswith("sqlite:")


def database_of(uri: str) -> Path:
    """Return the file of a database by its URI."""
    return Path(uri.removeprefix("sqlite:///").partition("?")[0])


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


def _require_database(uri: str, root: Path) -> None:
    """Raise TrackingError for a database that cannot be opened or made.

    MLflow would try for minutes to open some of these.
    """
    database = database_of(uri)
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
    with failures(f"{uri}: no MLflow server answers" if is_server(uri) else uri):
        place = urlsplit(uri)
        if place.scheme in ("", "file") and uri != "databricks":
            raise TrackingError(f"{uri}: is a folder of files, which MLflow no longer logs to")
        if is_server(uri) and not place.hostname:
            raise TrackingError(f"{uri}: names no host")
        from mlflow.tracking.registry import UnsupportedModelRegistryStoreURIException

        try:
            client = connect(uri)
        except UnsupportedModelRegistryStoreURIException:
            raise TrackingError(f"{uri}: MLflow knows no address of the kind {place.scheme!r}") from None
        client.get_experiment_by_name(EXPERIMENT)


def _new_experiment(client: "MlflowClient", uri: str) -> str:
    """Make the experiment and return its id. Another machine that logs to the same server may be the first to do it."""
    from mlflow import MlflowException

    artifacts = None  # a server has a place of its own
    if is_sqlite(uri):
        _use_write_ahead_log(database_of(uri))
        artifacts = (database_of(uri).parent.resolve() / "mlflow-artifacts").as_uri()
    try:
        return str(client.create_experiment(EXPERIMENT, artifact_location=artifacts, tags=TAGS))
    except MlflowException as error:
        made = client.get_experiment_by_name(EXPERIMENT)
        if error.error_code != "RESOURCE_ALREADY_EXISTS" or made is None:
            raise
        return str(made.experiment_id)


def _use_write_ahead_log(database: Path) -> None:
    """Set SQLite's write-ahead log, which makes most calls several times faster; the file keeps the setting."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
