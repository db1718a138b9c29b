import json
from typing import Any

import pytest

from rdtf_bench.core.errors import ProtocolError
from rdtf_bench.spec.identities import ControlSamples, PipelineIdentity, PipelineSamples
from rdtf_bench.spec.load import load_protocol, load_scale
from rdtf_bench.spec.pipeline import PipelineSettings
from rdtf_bench.spec.plan import Cell, DataIdentity, asset_roles, other_clips, plan
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import TableSpec
from tests.plans import DATA

FACTS: dict[str, dict[str, Any]] = {
    "method": {"VERSION": 1, "ASSETS": ("autoencoder",)},
    "control": {"VERSION": 1},
    "fvd": {"VERSION": 1, "ASSETS": ("efficientnet",), "USES": ("fake", "real")},
    "vqa": {"VERSION": 1, "ASSETS": ("vqa",), "USES": ("fake",)},
    "clip": {"VERSION": 1, "ASSETS": ("clip",), "USES": ("fake", "captions")},
    "params": {"VERSION": 1, "USES": ("network",)},
    "seconds": {"VERSION": 1, "USES": ("network", "clock")},
}


def constants(kind: str, name: str) -> dict[str, Any]:
    return FACTS[name if kind == "metric" else kind]


def cells(
    spec: TableSpec | None = None, scale: Scale | None = None, data: DataIdentity = DATA, **digests: str
) -> list[Cell]:
    scale = scale or load_scale("tiny")
    known = {role: f"digest of {role}" for role in scale.assets} | digests
    return plan(spec or load_protocol("table1"), scale, data, known, constants)


def by_label(planned: list[Cell]) -> dict[str, Cell]:
    return {cell.label: cell for cell in planned}


def changed(scale: Scale, **parts: Any) -> Scale:
    return scale.model_copy(update=parts)


def test_table1_has_a_cell_for_every_row_and_control() -> None:
    assert [cell.label for cell in cells()] == [
        "Customize-A-Video",
        "I2V-Adapter",
        "SimDA",
        "RDTF",
        "static",
        "autoencoder",
        "real",
        "other real clips",
    ]


def test_what_does_not_apply_to_a_row_is_not_planned() -> None:
    planned = by_label(cells())
    assert set(planned["RDTF"].scores) == {"fvd", "vqa", "clip", "params", "seconds"}
    assert set(planned["static"].scores) == {"fvd", "vqa", "clip"}
    assert set(planned["real"].scores) == {"vqa", "clip"}
    assert set(planned["other real clips"].scores) == {"fvd"}


def test_a_renamed_row_and_more_workers_keep_every_identity() -> None:
    spec, scale = load_protocol("table1"), load_scale("tiny")
    renamed = spec.model_copy(
        update={"rows": tuple(row.model_copy(update={"label": row.label + "!"}) for row in spec.rows)}
    )
    assert [cell.id for cell in cells(renamed, changed(scale, workers=7))] == [cell.id for cell in cells()]


def test_an_option_changes_only_its_row() -> None:
    spec = load_protocol("table1")
    rows = tuple(
        row.model_copy(update={"options": {"places": "all"}}) if row.method == "simda" else row for row in spec.rows
    )
    before, after = by_label(cells()), by_label(cells(spec.model_copy(update={"rows": rows})))
    assert {label for label in before if before[label].id != after[label].id} == {"SimDA"}


def test_a_sampler_leaves_the_weights_alone() -> None:
    scale = load_scale("tiny")
    sampling = scale.sampling.model_copy(update={"num_steps": 25})
    before, after = by_label(cells())["RDTF"], by_label(cells(scale=changed(scale, sampling=sampling)))["RDTF"]
    assert before.fit_key == after.fit_key
    assert before.sample_key != after.sample_key
    assert before.score_key("params") == after.score_key("params")


def test_a_metrics_option_leaves_the_clips_alone() -> None:
    scale = load_scale("tiny")
    metrics = scale.metrics | {"vqa": {"grid": 3}}
    before, after = by_label(cells())["RDTF"], by_label(cells(scale=changed(scale, metrics=metrics)))["RDTF"]
    assert before.id == after.id
    assert before.score_key("vqa") != after.score_key("vqa")
    assert before.score_key("fvd") == after.score_key("fvd")


@pytest.mark.parametrize("part", ["train", "test"])
def test_other_data_changes_every_trained_row(part: str) -> None:
    other = DataIdentity(**{**vars(DATA), part: "other"})
    before, after = by_label(cells()), by_label(cells(data=other))
    for label in ("RDTF", "SimDA"):
        assert before[label].id != after[label].id


def test_other_clusters_change_scores_over_clips_alone() -> None:
    before, after = (
        by_label(cells())["RDTF"],
        by_label(cells(data=DataIdentity(**{**vars(DATA), "test_clusters": "d"})))["RDTF"],
    )
    assert before.id == after.id
    changed_scores = {metric for metric in before.scores if before.score_key(metric) != after.score_key(metric)}
    assert changed_scores == {"fvd", "vqa", "clip"}


def test_other_weights_change_what_looks_through_them() -> None:
    before, after = by_label(cells())["RDTF"], by_label(cells(vqa="another"))["RDTF"]
    assert before.score_key("vqa") != after.score_key("vqa")
    assert before.id == after.id
    assert by_label(cells(autoencoder="another"))["static"].id != by_label(cells())["static"].id


def other_split(planned: list[Cell]) -> str | None:
    sample = by_label(planned)["other real clips"].sample
    return sample.other.split if isinstance(sample, ControlSamples) and sample.other else None


def test_other_real_clips_are_training_clips_where_validation_is_too_small() -> None:
    few = DataIdentity(**{**vars(DATA), "num_validation": 3})
    assert other_split(cells()) == "validation"
    assert other_split(cells(data=few)) == "train"


def test_other_real_clips_are_training_clips_where_validation_is_scored() -> None:
    choosing = DataIdentity(**{**vars(DATA), "test": DATA.validation, "num_test": DATA.num_validation})
    assert other_split(cells(data=choosing)) == "train"


def test_of_many_training_clips_no_more_are_decoded_than_there_are_test_clips() -> None:
    scale = load_scale("tiny")
    few = DataIdentity(**{**vars(DATA), "num_validation": 3})
    assert other_clips(scale, few).most == few.num_test
    as_few = DataIdentity(**{**vars(few), "num_train": few.num_test})
    assert other_clips(scale, as_few).most is None
    assert other_clips(scale, DATA).most is None


def test_other_real_clips_keep_the_id_of_their_first_name() -> None:
    planned = by_label(cells())["other real clips"]
    assert isinstance(planned.sample, ControlSamples)
    assert planned.sample.control == "noise_floor"
    published = {**planned.as_dict(), "label": "noise_floor", "method": "noise_floor"}
    assert Cell.from_dict(published) == planned
    spec = load_protocol("table1")
    old = spec.model_dump(mode="json") | {"controls": ["static", "noise_floor"]}
    assert TableSpec.model_validate_json(json.dumps(old)).controls == ("static", "other_real_clips")


def test_a_cell_measured_twice_is_refused() -> None:
    spec = load_protocol("table1")
    twice = spec.model_copy(update={"rows": (*spec.rows, spec.rows[0].model_copy(update={"label": "again"}))})
    with pytest.raises(ProtocolError, match=r"rows \['Customize-A-Video', 'again'\] would measure the same thing"):
        cells(twice)


@pytest.mark.parametrize(("role", "user"), [("frame_features", "the training clips"), ("vqa", "vqa")])
def test_a_role_that_the_scale_fills_with_nothing_is_named(role: str, user: str) -> None:
    tiny = load_scale("tiny")
    without = changed(tiny, assets={name: asset for name, asset in tiny.assets.items() if name != role})
    with pytest.raises(ProtocolError, match=f"scale tiny: assets has no '{role}', which is needed for {user}; it has"):
        cells(scale=without)


def test_a_method_the_scale_does_not_know_is_named() -> None:
    scale = load_scale("tiny")
    methods = {name: at_scale for name, at_scale in scale.methods.items() if name != "rdtf"}
    with pytest.raises(ProtocolError, match="scale tiny: methods has no 'rdtf', which row 'RDTF' of table1 needs"):
        cells(scale=changed(scale, methods=methods))


def test_a_network_chosen_by_an_option_brings_its_weights() -> None:
    facts = {"ASSETS": ("efficientnet",), "MORE_ASSETS": {("network", "i3d"): ("i3d",)}}
    assert asset_roles(facts, {}) == ["efficientnet"]
    assert asset_roles(facts, {"network": "enet_lite0"}) == ["efficientnet"]
    assert asset_roles(facts, {"network": "i3d"}) == ["efficientnet", "i3d"]


def test_a_row_may_have_training_steps_of_its_own() -> None:
    tuned, untuned = load_protocol("ablate-weights").rows[2:4]
    spec = load_protocol("table1").model_copy(update={"rows": (tuned, untuned)})
    trained, untrained = cells(spec)[:2]
    assert (trained.trained.training.num_steps, untrained.trained.training.num_steps) == (400, 0)
    assert trained.trained.network == untrained.trained.network


def test_a_pipeline_samples_with_every_seed_and_is_counted_but_not_timed() -> None:
    spec, scale = load_protocol("table1").model_copy(update={"seeds": (0, 1)}), load_scale("tiny")
    digests = dict.fromkeys(scale.assets, "d")

    def planned(**settings: Any) -> list[Cell]:
        asked = PipelineIdentity(pipeline="f", pipeline_class="P", settings=PipelineSettings(**settings))
        return [cell for cell in plan(spec, scale, DATA, digests, constants, {"mine": asked}) if cell.label == "mine"]

    first, second = planned()
    assert (first.seed, second.seed, first.kind, first.fit) == (0, 1, "external", None)
    assert set(first.scores) == {"fvd", "vqa", "clip", "params"}
    assert first.score_key("params") == second.score_key("params")
    assert isinstance(first.sample, PipelineSamples)
    assert first.sample.num_steps == scale.sampling.num_steps
    own = planned(sampling_steps=3)[0].sample
    assert isinstance(own, PipelineSamples)
    assert own.num_steps == 3
    assert len({cell.id for cell in (*planned(), *planned(call={"fps": 7}), *planned(height=32))}) == 6
    assert Cell.from_dict(json.loads(json.dumps(first.as_dict()))) == first
