import dataclasses
from pathlib import Path

import pytest

from rdtf_bench.core.errors import StoreError
from rdtf_bench.run import record, track
from tests.planted import record as planted_record


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # MLflow's own
def test_a_row_can_be_found_again_with_its_curve_interval_tags_and_record(tmp_path: Path) -> None:
    import mlflow

    rec = planted_record()
    path = record.save(rec, tmp_path / "records")
    picture = tmp_path / "samples.gif"
    picture.write_bytes(b"GIF89a")
    uri = track.default_uri(tmp_path)
    assert track.untracked({"cell": rec}, uri, tmp_path)
    curve = [{"step": step, "loss": 1.0 / (step + 1)} for step in range(3)]
    rows = [track.Row(label="RDTF", record=rec, record_path=path, log=curve)]
    parent = track.log(rows, table="table1", scale="tiny", uri=uri, root=tmp_path, artifacts=[picture])
    assert not track.untracked({"cell": rec}, uri, tmp_path)

    client = mlflow.MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name(track.EXPERIMENT)
    assert experiment is not None
    (child,) = client.search_runs([experiment.experiment_id], f"tags.`mlflow.parentRunId` = '{parent}'")
    assert child.data.metrics["fvd"] == 2.5
    assert child.data.metrics["fvd/ci_low"] == 2.0
    assert child.data.metrics["fvd/n"] == 128
    assert child.data.params["fit.options.curriculum"] == "adaptive"
    assert child.data.tags["yardstick.fvd"] == "enet-lite0 96px"
    assert child.data.tags["commit"] == "abc"
    assert [point.value for point in client.get_metric_history(child.info.run_id, "train/loss")] == [1.0, 0.5, 1 / 3]
    assert [artifact.path for artifact in client.list_artifacts(child.info.run_id)] == ["cell.json"]
    assert [artifact.path for artifact in client.list_artifacts(parent)] == ["samples.gif"]


def test_the_flag_wins_over_the_environment_over_the_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert track.tracking_uri(None, tmp_path) == f"sqlite:///{tmp_path.resolve()}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    assert track.tracking_uri(None, tmp_path) == "http://127.0.0.1:1"
    assert track.tracking_uri("http://127.0.0.1:2", tmp_path) == "http://127.0.0.1:2"


def test_a_ui_on_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="nothing has been logged there yet"):
        track.ui_command(track.default_uri(tmp_path), tmp_path, host="127.0.0.1", port=5000)


def test_options_are_dotted_names_and_scores_are_left_out() -> None:
    assert track._flat(planted_record().config) == {"fit.options.curriculum": "adaptive", "sample.batch_size": 16}


def test_a_row_is_logged_again_only_when_its_scores_change(tmp_path: Path) -> None:
    rec = planted_record()
    other = dataclasses.replace(rec, scores={"fvd": dataclasses.replace(rec.scores["fvd"], key="another")})
    places = {track._mark(tmp_path, uri, record) for uri in ("http://a", "http://b") for record in (rec, other)}
    assert len(places) == 4
    assert track._mark(tmp_path, "http://a", rec) in places
