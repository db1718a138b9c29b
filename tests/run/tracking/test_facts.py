"""What MLflow shows of a record: the same keys for every row, and the values of one row worked out by hand."""

import json
from dataclasses import replace

import pytest

from rdtf_bench.commands.options import results_folder
from rdtf_bench.run import record
from rdtf_bench.run.tracking import facts
from tests.planted import control
from tests.planted import record as planted_record


def test_the_parameters_of_a_trained_row_are_what_a_person_compares() -> None:
    made = planted_record(seed=1, environment={"commit": "abc", "device": "cpu"})
    assert facts.parameters(made, "RDTF without DDU, seed 1") == {
        "method": "rdtf",
        "variant": "RDTF without DDU",
        "scale": "tiny",
        "dataset": "asg",
        "data_source": "toy",
        "task": "it2v",
        "seed": "1",
        "device": "cpu",
        "trainable_parameters": "4",
        "total_parameters": "10",
        "training_steps": "400",
        "batch_size": "4",
        "learning_rate": "0.002",
        "lr_schedule": "cosine",
        "precision": "fp32",
        "sampling_steps": "25",
        "eta": "1.0",
        "guidance_text": "3.0",
        "guidance_image": "2.0",
        "known_frames": "keep",
    }


def test_a_control_row_has_the_same_parameters_and_says_which_do_not_apply() -> None:
    found = facts.parameters(control(), "static")
    assert list(found) == list(facts.parameters(planted_record(), "RDTF"))
    assert found["method"] == "static"
    assert found["learning_rate"] == found["eta"] == found["trainable_parameters"] == "n/a"
    assert found["known_frames"] == "keep"


def test_a_pipeline_of_diffusers_has_its_sampling_steps_and_no_training() -> None:
    real = control().config["sample"]["real"]
    called = {"pipeline": "p", "pipeline_class": "P", "settings": {}, "version": 1, "num_steps": 25, "seed": 0}
    sample = {**called, "task": "it2v", "known_frames": "keep", "real": real}
    found = facts.parameters(control(kind="external", config={"fit": None, "sample": sample, "scores": {}}), "SVD")
    assert list(found) == list(facts.parameters(planted_record(), "RDTF"))
    assert (found["sampling_steps"], found["eta"], found["training_steps"]) == ("25", "n/a", "n/a")


@pytest.mark.parametrize("table", ["table1", "ci", "ablate-dcl"])
def test_published_records_of_every_format_have_the_same_parameters(table: str) -> None:
    wanted = list(facts.parameters(planted_record(), "RDTF"))
    paths = sorted((results_folder() / table).glob("*.json"))
    assert paths
    for path in paths:
        found = record.read(path)
        assert list(facts.parameters(found, "row")) == wanted, path
        assert [clips.num_clips for clips in facts.inputs(found)] == [
            found.data["in_use"][split] for split in ("train", "test")[-len(facts.inputs(found)) :]
        ], path


def test_hashes_options_and_the_source_are_tags() -> None:
    made = planted_record(command="rdtf-bench run table1", samples_sha256="5a")
    found = facts.tags(made)
    assert found["weights.autoencoder"] == "a1"
    assert json.loads(found["method_options"]) == {"curriculum": "adaptive"}
    assert found["samples_sha256"] == "5a"
    assert "diverged_at_step" not in found
    assert facts.tags(replace(made, scores={}, diverged_at_step=724))["diverged_at_step"] == "724"
    assert found["yardstick.fvd"] == "enet-lite0 96px"
    assert found["direction.fvd"] == "lower is better"
    assert found["mlflow.source.name"] == "rdtf-bench run table1"
    assert found["mlflow.source.git.commit"] == found["commit"] == "abc"


def test_a_record_of_an_installed_wheel_has_no_commit() -> None:
    made = planted_record(environment={"commit": None, "dirty_files": None})
    assert "mlflow.source.git.commit" not in facts.origin(made)
    assert facts.table_name("table1", "tiny", made) == "table1 (tiny, asg toy, no commit)"


def test_the_name_of_a_table_says_scale_data_and_commit() -> None:
    made = planted_record(environment={"commit": "0123456789"}, data={"source": "hf:me/stickers@v1"})
    assert facts.table_name("table1", "tiny", made) == "table1 (tiny, asg hf:me/stickers@v1, 0123456)"
    assert facts.tags(made)["data_source"] == "hf:me/stickers@v1"


def test_the_inputs_are_the_clips_of_training_and_evaluation_with_their_counts() -> None:
    training, evaluation = facts.inputs(planted_record())
    assert (training.context, training.name, training.num_clips) == ("training", "asg-train", 48)
    assert (evaluation.context, evaluation.name, evaluation.num_clips) == ("evaluation", "asg-test", 50)
    assert training.digest != evaluation.digest
    assert json.loads(training.profile) == {"num_rows": 48, "fingerprint": "toy-asg:train:48"}
    assert [clips.context for clips in facts.inputs(control())] == ["evaluation"]


def test_clips_of_another_split_are_named_by_it() -> None:
    made = control()
    real = made.config["sample"]["real"] | {"clips": "toy-asg:validation:50"}
    swept = replace(made, config=made.config | {"sample": made.config["sample"] | {"real": real}})
    assert [clips.name for clips in facts.inputs(swept)] == ["asg-validation"]


def test_a_row_begins_its_stages_before_its_record_was_made() -> None:
    made = planted_record(stage_seconds={"fit": 90.0, "sample": 30.5}, created="2026-01-01T00:00:00+00:00")
    assert facts.end_ms(made) == 1_767_225_600_000  # date -u -d 2026-01-01 +%s
    assert facts.end_ms(made) - facts.begin_ms(made) == 120_500


def test_the_metrics_of_a_row_are_its_scores_with_intervals_and_its_costs() -> None:
    assert facts.metrics(planted_record()) == {
        "fvd": 2.5,
        "fvd/ci_low": 2.0,
        "fvd/ci_high": 3.0,
        "fvd/n": 128.0,
        "cost/fit_s": 1.5,
        "cost/peak_memory_gib": 0.5,
        "cost/total_parameters": 10.0,
        "cost/trainable_parameters": 4.0,
    }
