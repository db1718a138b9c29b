"""Log records to MLflow: one parent run per invocation, one child run per row. The only module that imports mlflow.

MLflow holds a copy of the records. If logging fails, no number is lost, and the next run logs it again.
"""

import math
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rdtf_bench.core.errors import StoreError
from rdtf_bench.core.store import key_of, write_text
from rdtf_bench.run.record import Record
from rdtf_bench.run.table.finished import LogRow

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "rdtf-bench"
TAGS = {"mlflow.experimentKind": "custom_model_development"}  # the UI opens on runs and metrics, not on prompts
UI_ENVIRONMENT = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
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


def default_uri(root: Path) -> str:
    return f"sqlite:///{(root / 'mlflow.db').resolve()}"


def tracking_uri(given: str | None, root: Path) -> str:
    """Return the flag's value, else MLFLOW_TRACKING_URI, else a database in the store."""
    return given or os.environ.get("MLFLOW_TRACKING_URI") or default_uri(root)


def ui_command(uri: str, root: Path, *, host: str, port: int) -> list[str]:
    """Return the command that starts the MLflow UI; raise StoreError if nothing has been logged."""
    if uri == default_uri(root) and not (root / "mlflow.db").is_file():
        raise StoreError(f"{root}: nothing has been logged there yet. Run a table first: rdtf-bench run table1")
    return [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", uri, "--host", host, "--port", str(port)]


def untracked(records: Mapping[str, Record], uri: str, root: Path) -> bool:
    """Return whether any record has not been logged to this server yet."""
    return any(not _mark(root, uri, record).is_file() for record in records.values())


def log(rows: Sequence[Row], *, table: str, scale: str, uri: str, root: Path, artifacts: Sequence[Path]) -> str:
    """Log rows under a new parent run and return its id."""
    client = _client(uri)
    experiment = _experiment(client, uri, root)
    parent = client.create_run(experiment, run_name=f"{table} ({scale})", tags={"protocol": table, "scale": scale})
    for path in artifacts:
        client.log_artifact(parent.info.run_id, str(path))
    for row in rows:
        _log_row(client, experiment, parent.info.run_id, row)
        write_text(_mark(root, uri, row.record), parent.info.run_id)
    client.set_terminated(parent.info.run_id)
    return str(parent.info.run_id)


class LiveRun:
    """A run that is logged during training. A resumed training continues in the same run."""

    def __init__(self, *, name: str, parameters: Mapping[str, object], uri: str, root: Path) -> None:
        self._client = _client(uri)
        mark = root / "tracked" / key_of([uri, name])
        if mark.is_file():
            self._run_id = mark.read_text(encoding="utf-8")
            self._client.update_run(self._run_id, status="RUNNING")
        else:
            run = self._client.create_run(_experiment(self._client, uri, root), run_name=name)
            self._run_id = str(run.info.run_id)
            for key, value in _flat(parameters).items():
                self._client.log_param(self._run_id, key, str(value)[:PARAM_LENGTH])
            write_text(mark, self._run_id)

    def metrics(self, step: int, measured: Mapping[str, float]) -> None:
        for name, value in measured.items():
            if math.isfinite(value):
                self._client.log_metric(self._run_id, f"train/{name}", value, step=step)

    def artifact(self, path: Path) -> None:
        self._client.log_artifact(self._run_id, str(path))

    def end(self, *, finished: bool) -> None:
        self._client.set_terminated(self._run_id, status="FINISHED" if finished else "KILLED")


def _client(uri: str) -> "MlflowClient":
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")  # else it tells how it makes its tables
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri)  # not mlflow.set_tracking_uri: it changes the environment


def _experiment(client: "MlflowClient", uri: str, root: Path) -> str:
    found = client.get_experiment_by_name(EXPERIMENT)
    if found is not None:
        return str(found.experiment_id)
    if not uri.startswith("sqlite:"):
        return str(client.create_experiment(EXPERIMENT, tags=TAGS))
    _use_write_ahead_log(Path(uri.removeprefix("sqlite:///")))
    artifacts = (root / "mlflow-artifacts").resolve()
    return str(client.create_experiment(EXPERIMENT, artifact_location=artifacts.as_uri(), tags=TAGS))


def _use_write_ahead_log(database: Path) -> None:
    """Set SQLite's write-ahead log, which makes most calls several times faster; the file keeps the setting."""
    import sqlite3

    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")


def _log_row(client: "MlflowClient", experiment: str, parent: str, row: Row) -> None:
    from mlflow.entities import Metric, Param

    record = row.record
    run = client.create_run(experiment, run_name=row.label, tags={"mlflow.parentRunId": parent, **_tags(record)})
    run_id = run.info.run_id
    parameters = [Param(name, str(value)[:PARAM_LENGTH]) for name, value in _flat(record.config).items()]
    for start in range(0, len(parameters), PARAMS_AT_ONCE):
        client.log_batch(run_id, params=parameters[start : start + PARAMS_AT_ONCE])
    now_ms = run.info.start_time
    points = [Metric(name, value, now_ms, 0) for name, value in _final(record).items()]
    for entry in row.log:
        values = {f"train/{name}": value for name, value in entry.items() if name != "step" and math.isfinite(value)}
        points += [Metric(name, value, now_ms, int(entry["step"])) for name, value in values.items()]
    for start in range(0, len(points), METRICS_AT_ONCE):
        client.log_batch(run_id, metrics=points[start : start + METRICS_AT_ONCE])
    client.log_artifact(run_id, str(row.record_path))
    client.set_terminated(run_id)


def _final(record: Record) -> dict[str, float]:
    """Return each score with the ends of its interval and n, and the costs of the row."""
    values: dict[str, float] = {}
    for name, score in record.scores.items():
        values |= {name: score.value, f"{name}/ci_low": score.ci_low, f"{name}/ci_high": score.ci_high}
        values[f"{name}/n"] = float(score.n)
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


def _flat(config: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    """Flatten nested options to dotted names, without the identities of the scores, which stand in the record."""
    flat: dict[str, object] = {}
    for name, value in config.items():
        if name == "scores":
            continue
        if isinstance(value, Mapping):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat


def _mark(root: Path, uri: str, record: Record) -> Path:
    """Return the file whose presence says that this record was logged to this server with these scores."""
    scores = sorted(score.key for score in record.scores.values())
    return root / "tracked" / key_of([uri, record.cell_id, scores])
