"""Completes a run of MLflow: parameters, points of curves and files that it lacks."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from rdtf_bench.run.table.finished import LogRow

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

METRICS_AT_ONCE = 1000  # MLflow's limits for one batch
PARAMS_AT_ONCE = 100
PARAM_LENGTH = 6000
RATE_OVER = 10
"""Steps over which the rate of a training is a mean."""


def complete(
    client: "MlflowClient",
    run: "Run",
    *,
    parameters: Mapping[str, object],
    points: "Sequence[Metric]",
    files: Mapping[str, Sequence[Path]],
) -> bool:
    """Log what a run lacks of these, and return whether it lacked anything. `files` are named by folder."""
    from mlflow.entities import Param

    run_id = run.info.run_id
    params = [
        Param(name, str(value)[:PARAM_LENGTH]) for name, value in parameters.items() if name not in run.data.params
    ]
    steps = {name: {point.step for point in client.get_metric_history(run_id, name)} for name in run.data.metrics}
    points = [point for point in points if point.step not in steps.get(point.key, ())]
    for start in range(0, len(params), PARAMS_AT_ONCE):
        client.log_batch(run_id, params=params[start : start + PARAMS_AT_ONCE])
    log_points(client, run_id, points)
    added = [_complete_files(client, run_id, folder, paths) for folder, paths in files.items()]
    return bool(params or points or any(added))


def log_points(client: "MlflowClient", run_id: str, points: "Sequence[Metric]") -> None:
    """Log points of curves in as few batches as MLflow allows."""
    for start in range(0, len(points), METRICS_AT_ONCE):
        client.log_batch(run_id, metrics=points[start : start + METRICS_AT_ONCE])


def set_tags(client: "MlflowClient", run_id: str, tags: Mapping[str, str]) -> None:
    """Set tags of a run."""
    from mlflow.entities import RunTag

    client.log_batch(run_id, tags=[RunTag(name, value) for name, value in tags.items()])


def _complete_files(client: "MlflowClient", run_id: str, folder: str, paths: Sequence[Path]) -> bool:
    """Log the files that a folder of a run lacks, and return whether it lacked any. "" is the top folder."""
    there = {PurePosixPath(file.path).name for file in client.list_artifacts(run_id, folder or None)}
    lacking = [path for path in paths if path.name not in there]
    for path in lacking:
        client.log_artifact(run_id, str(path), folder or None)
    return bool(lacking)


def curve(log: Sequence[LogRow], at_ms: int) -> "list[Metric]":
    """Return the points of a training log that began at a time, without values that are not finite."""
    from mlflow.entities import Metric

    rates = _rates(log)
    return [
        Metric(f"train/{name}", value, at_ms + round(1000 * entry.get("elapsed_s", 0)), int(entry["step"]))
        for entry in log
        for name, value in {**entry, **rates.get(int(entry["step"]), {})}.items()
        if name != "step" and math.isfinite(value)
    ]


def _rates(log: Sequence[LogRow]) -> dict[int, LogRow]:
    """Return the rate after every RATE_OVER steps, as far as the log has all of these steps."""
    elapsed_s = {int(entry["step"]): entry["elapsed_s"] for entry in log if "elapsed_s" in entry}
    ends = [step for step in elapsed_s if step % RATE_OVER == 0 and step - RATE_OVER in elapsed_s]
    taken_s = {step: elapsed_s[step] - elapsed_s[step - RATE_OVER] for step in ends}
    return {step: {"steps_per_s": RATE_OVER / seconds} for step, seconds in taken_s.items() if seconds > 0}
