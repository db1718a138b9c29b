"""What a record knows about one of its numbers; the records are planted."""

from collections.abc import Mapping
from dataclasses import replace

from rdtf_bench.report.provenance.facts import facts
from rdtf_bench.run.record import Record
from rdtf_bench.spec.plan import Cell


def recorded(cells: list[Cell], records: Mapping[str, Record], row: str) -> Record:
    cell = next(cell for cell in cells if cell.label == row)
    scores = {metric: identity.as_dict() for metric, identity in cell.scores.items()}
    found = records[cell.id]
    return replace(found, config={**found.config, "scores": scores})


def test_a_score_of_clips_is_decided_by_training_sampling_data_and_metric(
    cells: list[Cell], records: dict[str, Record]
) -> None:
    found = facts(recorded(cells, records, "RDTF"), "fvd")
    cell = next(cell for cell in cells if cell.label == "RDTF")
    assert found["configuration"]["training.num_steps"] == cell.trained.training.num_steps
    assert found["configuration"]["metric.options.network"] == "enet_lite0"
    assert found["data"]["fingerprint_train"] == "a" * 16
    assert found["data"]["fingerprint_test"] == "c" * 16
    assert found["weights"]["trained"] == cell.fit_key
    assert found["seeds"] == {"row": 0, "training": 0, "sampling": 0}


def test_a_number_of_parameters_depends_on_no_clip_and_no_training(
    cells: list[Cell], records: dict[str, Record]
) -> None:
    found = facts(recorded(cells, records, "RDTF"), "params")
    assert found["data"] == {}
    assert found["samples"] == {}
    assert not any(name.startswith(("training", "sampling")) for name in found["configuration"])
    assert found["configuration"]["options.norm_num_groups"] == 4


def test_a_control_row_has_the_weights_that_its_clips_passed_through(
    cells: list[Cell], records: dict[str, Record]
) -> None:
    assert facts(recorded(cells, records, "static"), "fvd")["weights"]["autoencoder"] == "d" * 16


def test_names_of_older_records_are_those_of_today(cells: list[Cell], records: dict[str, Record]) -> None:
    trained = replace(recorded(cells, records, "RDTF"), kind="method")
    assert facts(trained, "fvd")["configuration"]["kind"] == "trained"
    other = replace(recorded(cells, records, "other real clips"), method="noise_floor")
    assert facts(other, "fvd")["configuration"]["method"] == "other_real_clips"


def test_a_gpu_is_a_fact_of_records_of_a_gpu_alone(cells: list[Cell], records: dict[str, Record]) -> None:
    found = recorded(cells, records, "RDTF")
    on_cpu, on_gpu = (replace(found, environment={"device": device, "gpu": "H200"}) for device in ("cpu", "cuda"))
    assert "gpu" not in facts(on_cpu, "fvd")["machine"]
    assert facts(on_gpu, "fvd")["machine"]["gpu"] == "H200"


def test_a_pipeline_is_a_weight_and_its_call_a_part_of_the_configuration(
    cells: list[Cell], records: dict[str, Record]
) -> None:
    static = recorded(cells, records, "static")
    facts_of_it = {"class": "P", "diffusers": "0.42", "fingerprint": "f", "call": {"fps": 7}, "components": {"vae": 1}}
    config = {**static.config, "sample": {"pipeline": "f", "seed": 3}, "pipeline": facts_of_it}
    found = facts(replace(static, kind="external", config=config), "fvd")
    assert found["weights"]["pipeline"] == "f"
    assert found["seeds"]["sampling"] == 3
    said = {name: value for name, value in found["configuration"].items() if name.startswith("pipeline")}
    assert said == {"pipeline.class": "P", "pipeline.diffusers": "0.42", "pipeline.call.fps": 7}
