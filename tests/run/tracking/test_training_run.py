"""One training in MLflow, which is continued in the same run."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from rdtf_bench.run.tracking import server
from rdtf_bench.run.tracking.training_run import TrainingRun
from tests.mlflow_runs import LOG, files, runs, steps

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own


def training(root: Path, log: list[dict[str, int | float]], names: list[str]) -> TrainingRun:
    for name in names:
        (root / name).write_bytes(b"GIF89a")
    return TrainingRun(
        name="finetune simda",
        parameters={"training": {"task": "it2v"}},
        log=log,
        files=[root / name for name in names],
        uri=server.default_uri(root),
        root=root,
    )


def test_the_finite_measurements_of_a_step_are_logged_in_one_call(
    client: "MlflowClient", root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batches: list[list[Metric]] = []
    live = training(root, [], [])
    monkeypatch.setattr(type(client), "log_batch", lambda _client, _run_id, metrics: batches.append(metrics))
    live.metrics(3, {"loss": 0.5, "grad_norm": 0.1, "odd": float("nan")})
    (batch,) = batches
    assert {(point.key, point.value, point.step) for point in batch} == {
        ("train/loss", 0.5, 3),
        ("train/grad_norm", 0.1, 3),
    }


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
