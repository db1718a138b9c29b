import json
from pathlib import Path
from typing import Any

import pytest

from rdtf_bench.core.store import key_of
from rdtf_bench.spec.identities import (
    ClipsIdentity,
    ControlSamples,
    ExternalSamples,
    MetricIdentity,
    TrainedSamples,
    TrainingIdentity,
    TrainingSetIdentity,
    read_samples,
)
from rdtf_bench.spec.load import load_scale
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.schema import Budget

TABLES = sorted((Path(__file__).parents[2] / "results").glob("*/tables/*.json"))
CLIPS = ClipsIdentity(clips="x", num_frames=8, size_px=64)


class LaterTraining(TrainingIdentity):
    """TrainingIdentity after somebody has added a field to it."""

    precision: str = "fp32"


def fit_json(kind: type[TrainingIdentity] = TrainingIdentity, **more: Any) -> str:
    budget = load_scale("tiny").training.model_dump()
    identity = kind(task="it2v", num_frames=8, learning_rate=0.1, seed=0, **budget, **more)
    return json.dumps(identity.model_dump(mode="json", exclude_defaults=True), sort_keys=True)


def test_a_field_added_later_moves_no_key_at_its_default() -> None:
    assert fit_json(LaterTraining) == fit_json()
    assert fit_json(LaterTraining, precision="bf16") != fit_json()


def test_a_field_with_a_default_that_was_always_hashed_still_is() -> None:
    """lr_schedule had its default before fields at their default were left out."""
    assert Budget.model_fields["lr_schedule"].default == "constant_with_warmup"
    budget = load_scale("gpu").training
    assert budget.lr_schedule == "constant_with_warmup"
    identity = TrainingIdentity(task="it2v", num_frames=8, learning_rate=0.1, seed=0, **budget.model_dump())
    assert identity.model_dump(exclude_defaults=True)["lr_schedule"] == "constant_with_warmup"


def test_the_parts_of_a_training_set_depend_on_what_made_them() -> None:
    one = TrainingSetIdentity(train="t", size_px=64, max_frames=16, autoencoder="a", frame_features="f")
    other = one.model_copy(update={"autoencoder": "b"})
    assert (one.frames_key, one.features_key) == (other.frames_key, other.features_key)
    assert one.latents_key != other.latents_key
    assert one.frames_key == key_of({"train": "t", "size_px": 64, "max_frames": 16})


def test_observations_are_shared_by_every_score_of_the_same_metric_and_clips() -> None:
    metric = MetricIdentity(metric="fvd", version=1, options={"network": "i3d"}, assets={"i3d": "d"})
    named = {"metric": "fvd", "version": 1, "options": {"network": "i3d"}, "assets": {"i3d": "d"}}
    assert metric.observation_key("samples") == key_of({**named, "of": "samples"})
    assert metric.observation_key(CLIPS) == key_of({**named, "of": {"clips": "x", "num_frames": 8, "size_px": 64}})


@pytest.mark.parametrize(
    "samples",
    [
        ExternalSamples(clips="c", task="it2v", known_frames="keep", real=CLIPS),
        ControlSamples(control="static", version=1, real=CLIPS, autoencoder="a", task="it2v", known_frames="keep"),
    ],
)
def test_samples_are_read_back_as_what_they_were(samples: ExternalSamples | ControlSamples) -> None:
    assert read_samples(samples.as_dict()) == samples


@pytest.mark.skipif(not TABLES, reason="an installed package has no results folder")
@pytest.mark.parametrize("path", TABLES, ids=lambda path: f"{path.parents[1].name}-{path.stem}")
def test_published_cells_are_read_back_without_a_change(path: Path) -> None:
    for raw in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        cell = Cell.from_dict(raw)
        assert cell.as_dict() == {**raw, "kind": cell.kind}
        assert (cell.fit is not None) == (cell.kind == "trained") == isinstance(cell.sample, TrainedSamples)
