"""A table in MLflow: what a comparison of its rows reads, and how a log that broke off is continued."""

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest

from rdtf_bench.core.errors import TrackingError
from rdtf_bench.run import record
from rdtf_bench.run.tracking import facts, server, table_runs
from tests.mlflow_runs import LOG, datasets, files, runs, steps
from tests.planted import control, score
from tests.planted import record as planted_record

if TYPE_CHECKING:
    from mlflow import MlflowClient

PARENT = "table1 (tiny, asg toy, abc)"
pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's own


@pytest.fixture
def table(root: Path) -> table_runs.Table:
    """Two trained rows and a control row of one table, with a picture."""
    rows = []
    for name, made in (("a", planted_record()), ("b", planted_record(method="simda")), ("static", control())):
        kept = dataclasses.replace(made, cell_id=name, command="rdtf-bench run table1")
        path = record.save(kept, root / "records")
        log = LOG if kept.kind == "trained" else []
        rows.append(table_runs.Row(label=f"row {name}", record=kept, record_path=path, log=log))
    picture = root / "samples.gif"
    picture.write_bytes(b"GIF89a")
    return table_runs.Table(name="table1", scale="tiny", rows=rows, pictures=[picture], description="| method |")


@pytest.fixture
def log(root: Path, table: table_runs.Table) -> Callable[[], int]:
    return lambda: table_runs.log(table, uri=server.default_uri(root), root=root)


def fail(*_: object, **__: object) -> None:
    raise OSError("the server died")


def test_a_comparison_reads_the_same_keys_from_every_row(
    log: Callable[[], int], client: "MlflowClient", root: Path
) -> None:
    assert log() == 4
    (compared,) = table_runs.last_comparisons(server.default_uri(root))
    assert compared.table == PARENT
    found = [client.get_run(run_id) for run_id in compared.runs]
    assert {run.info.run_name for run in found} == {"row a", "row b"}
    assert {run.data.params["method"] for run in found} == {"rdtf", "simda"}
    first, second = (run.data for run in found)
    assert set(first.params) == set(second.params)
    assert set(first.metrics) == set(second.metrics)
    assert set(first.tags) == set(second.tags)
    assert first.params["learning_rate"] == "0.002"
    assert first.metrics["fvd/ci_low"] == 2.0
    assert first.tags["mlflow.source.name"] == "rdtf-bench run table1"
    assert first.tags["mlflow.source.git.commit"] == "abc"
    used = datasets(found[0])
    assert {context: dataset.name for context, dataset in used.items()} == {
        "evaluation": "asg-test",
        "training": "asg-train",
    }
    assert {context: json.loads(dataset.profile or "")["num_rows"] for context, dataset in used.items()} == {
        "evaluation": 50,
        "training": 48,
    }
    assert len({dataset.digest for dataset in used.values()}) == 2


def test_a_row_has_its_curve_its_record_and_its_own_times(log: Callable[[], int], client: "MlflowClient") -> None:
    log()
    row = runs(client)["row a"]
    curve = client.get_metric_history(row.info.run_id, "train/loss")
    assert [point.value for point in curve] == [1.0, 0.5, 1 / 3]
    assert [point.timestamp - row.info.start_time for point in curve] == [0, 500, 1000]
    assert row.info.end_time - row.info.start_time == 1500  # of the record: 1.5 s of training
    assert files(client, row) == ["a.json"]


def test_a_trained_row_is_a_model_with_its_scores(
    log: Callable[[], int], client: "MlflowClient", table: table_runs.Table
) -> None:
    log()
    models = {model.name: model for model in client.search_logged_models(["1"])}
    assert set(models) == {"row a", "row b"}  # nothing of static was trained
    row, model = runs(client)["row a"], models["row a"]
    assert (model.status.name, model.model_type, model.source_run_id) == ("READY", "rdtf", row.info.run_id)
    assert model.params["learning_rate"] == "0.002"
    assert model.tags["store_entry"].startswith("fit/")
    assert {metric.key: metric.value for metric in model.metrics or []} == {
        name: score.value for name, score in table.rows[0].record.scores.items()
    }
    assert row.outputs is not None
    assert [output.model_id for output in row.outputs.model_outputs] == [model.model_id]


def test_the_run_of_a_table_carries_the_table_the_pictures_and_the_records(
    log: Callable[[], int], client: "MlflowClient"
) -> None:
    log()
    found = runs(client)
    parent = found[PARENT]
    assert {run.data.tags["mlflow.parentRunId"] for name, run in found.items() if name != PARENT} == {
        parent.info.run_id
    }
    assert parent.data.tags["mlflow.note.content"] == "| method |"
    assert parent.data.tags["scale"] == "tiny"
    assert files(client, parent) == ["records", "samples.gif"]
    records = [file.path for file in client.list_artifacts(parent.info.run_id, "records")]
    assert records == ["records/a.json", "records/b.json", "records/static.json"]
    assert {dataset.name for dataset in datasets(parent).values()} == {"asg-train", "asg-test"}
    assert log() == 0


def test_tables_of_two_commits_can_be_told_apart_in_one_experiment(
    table: table_runs.Table, log: Callable[[], int], client: "MlflowClient", root: Path, tmp_path: Path
) -> None:
    log()
    later: dict[str, Any] = {
        "created": "2026-01-02T00:00:00+00:00",
        "environment": {"commit": "def"},
    }
    rows = [
        dataclasses.replace(row, record=dataclasses.replace(row.record, **later), label=f"later {row.label}")
        for row in table.rows
    ]
    other = dataclasses.replace(table, scale="small", rows=rows)
    table_runs.log(other, uri=server.default_uri(root), root=tmp_path / "other store")
    found = runs(client)
    assert found[PARENT].data.tags["commit"] == "abc"
    assert found["table1 (small, asg toy, def)"].data.tags["commit"] == "def"
    (compared,) = table_runs.last_comparisons(server.default_uri(root))
    assert compared.table == "table1 (small, asg toy, def)"


def test_a_dataset_that_another_machine_logs_at_the_same_moment_is_logged_again(
    log: Callable[[], int], client: "MlflowClient", monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient, MlflowException

    whole = MlflowClient.log_inputs
    refused: list[object] = []

    def refuse_first(*given: Any) -> None:
        if not refused:
            refused.append(given)
            raise MlflowException("UNIQUE constraint failed: datasets.experiment_id, datasets.name, datasets.digest")
        whole(*given)

    monkeypatch.setattr(MlflowClient, "log_inputs", refuse_first)
    assert log() == 4
    assert {dataset.name for dataset in datasets(runs(client)[PARENT]).values()} == {"asg-train", "asg-test"}


def test_a_link_names_the_runs_and_the_experiment_as_the_page_reads_them() -> None:
    link = table_runs.Comparison(table="table1", experiment="1", runs=("a", "b")).link("http://127.0.0.1:5000/")
    assert link.startswith("http://127.0.0.1:5000/#/compare-runs?runs=")
    assert unquote(link.partition("?")[2]) == 'runs=["a","b"]&experiments=["1"]'


def test_nothing_to_compare_has_no_link(root: Path) -> None:
    assert table_runs.last_comparisons(server.default_uri(root)) == []


def test_a_description_that_is_too_long_for_mlflow_is_cut_after_a_line() -> None:
    line = "x" * 99 + "\n"
    cut = table_runs._shortened(line * 100)
    assert len(cut) <= table_runs.DESCRIPTION_LENGTH
    assert set(cut.removesuffix(table_runs.MORE).split("\n")) == {"x" * 99}
    assert cut.endswith("The artifacts hold the whole text.")


def test_a_log_that_broke_off_is_continued(
    log: Callable[[], int], client: "MlflowClient", root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    with monkeypatch.context() as dying:
        whole = MlflowClient.log_artifact
        dying.setattr(MlflowClient, "log_artifact", lambda *given: fail() if "b.json" in given[2] else whole(*given))
        with pytest.raises(TrackingError, match=r"mlflow\.db: OSError: the server died"):
            log()
    assert {name: run.info.status for name, run in runs(client).items()} == {
        PARENT: "RUNNING",
        "row a": "FINISHED",
        "row b": "RUNNING",
    }
    (compared,) = table_runs.last_comparisons(server.default_uri(root))
    assert (compared.table, compared.so_far) == (PARENT, "RUNNING, 2 of 2 rows so far")
    assert log() == 3
    found = runs(client)
    assert {run.info.status for run in found.values()} == {"FINISHED"}
    assert steps(client, found["row a"]) == steps(client, found["row b"]) == [0, 1, 2]
    assert files(client, found["row b"]) == ["b.json"]
    assert log() == 0


def test_a_row_is_compared_from_the_moment_that_its_run_is_made(
    log: Callable[[], int], root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "tags", fail)  # what follows the making of the first row's run
    with pytest.raises(TrackingError):
        log()
    (compared,) = table_runs.last_comparisons(server.default_uri(root))
    assert compared.so_far == "RUNNING, 1 of 2 rows so far"
    assert not compared.can_compare


def test_a_run_that_the_server_no_longer_has_is_logged_anew(
    log: Callable[[], int], client: "MlflowClient", root: Path
) -> None:
    log()
    for run in runs(client).values():
        client.delete_run(run.info.run_id)
    assert log() == 4
    (mark,) = (root / "tracked").iterdir()
    assert mark.read_text() == runs(client)[PARENT].info.run_id
    mark.write_text("0" * 32)  # an id of another database
    for run in runs(client).values():
        client.delete_run(run.info.run_id)
    assert log() == 4


def test_a_deleted_experiment_is_restored_with_its_runs(
    log: Callable[[], int], client: "MlflowClient", capsys: pytest.CaptureFixture[str]
) -> None:
    log()
    experiment = client.get_experiment_by_name(server.EXPERIMENT)
    assert experiment is not None
    client.delete_experiment(experiment.experiment_id)
    assert log() == 0
    assert "the experiment rdtf-bench was deleted in MLflow" in capsys.readouterr().err
    assert len(runs(client)) == 4


def test_a_table_is_logged_again_only_when_its_scores_change(tmp_path: Path, table: table_runs.Table) -> None:
    def scored_anew(row: table_runs.Row) -> table_runs.Row:
        return dataclasses.replace(row, record=planted_record(cell_id="a", scores={"fvd": score(key="another")}))

    other: Any = dataclasses.replace(table, rows=[scored_anew(table.rows[0]), *table.rows[1:]])
    places = {table_runs._mark(tmp_path, uri, one) for uri in ("http://a", "http://b") for one in (table, other)}
    assert len(places) == 4
    assert table_runs._mark(tmp_path, "http://a", table) in places
