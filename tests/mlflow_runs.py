"""What tests ask MLflow about its runs, and a log of a training."""

from typing import TYPE_CHECKING

from rdtf_bench.run.tracking import server

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Dataset, Run

LOG: list[dict[str, int | float]] = [
    {"step": step, "elapsed_s": step / 2, "loss": 1.0 / (step + 1)} for step in range(3)
]


def runs(client: "MlflowClient") -> "dict[str, Run]":
    """Return the runs that are not deleted by name, which must differ."""
    experiment = client.get_experiment_by_name(server.EXPERIMENT)
    assert experiment is not None
    found = client.search_runs([experiment.experiment_id])
    names = {str(run.info.run_name): run for run in found}
    assert len(names) == len(found)
    return names


def datasets(run: "Run") -> "dict[str, Dataset]":
    """Return the datasets of a run by what they were used for."""
    assert run.inputs is not None
    return {used.tags[0].value: used.dataset for used in run.inputs.dataset_inputs}


def steps(client: "MlflowClient", run: "Run") -> list[int]:
    return sorted(point.step for point in client.get_metric_history(run.info.run_id, "train/loss"))


def files(client: "MlflowClient", run: "Run") -> list[str]:
    return [file.path for file in client.list_artifacts(run.info.run_id)]
