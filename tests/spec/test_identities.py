import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from rdtf_bench import catalog
from rdtf_bench.core.store import key_of
from rdtf_bench.spec.identities import (
    ClipsIdentity,
    ControlSamples,
    CostScore,
    ExternalSamples,
    Identity,
    MetricIdentity,
    NetworkIdentity,
    SamplerIdentity,
    TrainedSamples,
    TrainingIdentity,
    TrainingSetIdentity,
    read_samples,
)
from rdtf_bench.spec.load import load_protocol, load_scale
from rdtf_bench.spec.plan import Cell, plan
from rdtf_bench.spec.scale import Budget, Sampling
from rdtf_bench.spec.schema import RENAMED_CONTROLS, ClipShape, Part
from tests.plans import DATA

TABLES = sorted((Path(__file__).parents[2] / "results").glob("*/tables/*.json"))
CLIPS = ClipsIdentity(clips="x", num_frames=8, size_px=64)
METRIC = MetricIdentity(metric="fvd", version=1, options={"network": "i3d"}, assets={"i3d": "d"})


class LaterTraining(TrainingIdentity):
    """TrainingIdentity after somebody has added a field to it."""

    precision: str = "fp32"


class LaterBudget(Budget):
    precision: str = "fp32"


class LaterSampling(Sampling):
    order: int = 1


class LaterSampler(SamplerIdentity):
    order: int = 1


class LaterClip(ClipShape):
    fps: int = 8


class LaterClips(ClipsIdentity, LaterClip):
    """ClipsIdentity after somebody has added a field to ClipShape."""


class LaterTrainingSet(TrainingSetIdentity):
    fps: int = 8


class LaterCost(CostScore):
    clip: LaterClip | None = None


class LaterMetric(MetricIdentity):
    precision: str = "fp64"


def fit_json(kind: type[TrainingIdentity] = TrainingIdentity, **more: Any) -> str:
    budget = load_scale("tiny").training.model_dump()
    identity = kind(task="it2v", num_frames=8, learning_rate=0.1, seed=0, **budget, **more)
    return json.dumps(identity.model_dump(mode="json", exclude_defaults=True), sort_keys=True)


def test_a_field_added_later_moves_no_key_at_its_default() -> None:
    assert fit_json(LaterTraining) == fit_json()
    assert fit_json(LaterTraining, precision="bf16") != fit_json()


@pytest.mark.parametrize(
    ("now", "later", "fields", "added"),
    [
        (
            SamplerIdentity,
            LaterSampler,
            {"num_steps": 3, "timestep_spacing": "trailing", "eta": 1.0, "guidance_text": 2.0, "guidance_image": 1.0},
            {"order": 2},
        ),
        (ClipsIdentity, LaterClips, CLIPS.model_dump(), {"fps": 12}),
        (MetricIdentity, LaterMetric, METRIC.model_dump(), {"precision": "fp32"}),
    ],
)
def test_a_setting_added_later_moves_no_key_at_its_default(
    now: type[Identity], later: type[Identity], fields: dict[str, Any], added: dict[str, Any]
) -> None:
    assert later(**fields).key == now(**fields).key
    assert later(**fields, **added).key != now(**fields).key


def test_a_field_added_to_the_clip_moves_no_key_of_times_at_its_default() -> None:
    network = NetworkIdentity(method="rdtf", version=1, options={}, assets={})
    given: dict[str, Any] = {"metric": "seconds", "version": 1, "network": network, "device": "cpu"}
    shape: dict[str, Any] = {"num_frames": 8, "size_px": 64}
    now = CostScore(**given, clip=ClipShape(**shape))
    assert LaterCost(**given, clip=LaterClip(**shape)).key == now.key
    assert LaterCost(**given, clip=LaterClip(**shape, fps=12)).key != now.key


def test_a_field_added_to_the_training_set_decides_all_that_is_prepared_from_it() -> None:
    given: dict[str, Any] = {"train": "t", "size_px": 64, "max_frames": 16, "autoencoder": "a", "frame_features": "f"}
    now, same, other = TrainingSetIdentity(**given), LaterTrainingSet(**given), LaterTrainingSet(**given, fps=12)
    assert same.key == now.key
    assert other.key != now.key


@pytest.mark.parametrize(
    ("part", "kind"), [("clip", LaterClip), ("sampling", LaterSampling), ("training", LaterBudget)]
)
def test_a_setting_that_no_identity_holds_is_refused_and_never_ignored(part: str, kind: type[Part]) -> None:
    scale = load_scale("tiny")
    later = scale.model_copy(update={part: kind(**getattr(scale, part).model_dump())})
    digests = dict.fromkeys(scale.assets, "d")
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        plan(load_protocol("table1"), later, DATA, digests, catalog.constants)


def test_a_field_with_a_default_that_was_always_hashed_still_is() -> None:
    """lr_schedule had its default before fields at their default were left out."""
    assert Budget.model_fields["lr_schedule"].default == "constant_with_warmup"
    budget = load_scale("gpu").training
    assert budget.lr_schedule == "constant_with_warmup"
    identity = TrainingIdentity(task="it2v", num_frames=8, learning_rate=0.1, seed=0, **budget.model_dump())
    assert identity.model_dump(exclude_defaults=True)["lr_schedule"] == "constant_with_warmup"


def test_the_size_of_a_shard_and_the_type_of_latents_decide_weights_unless_they_are_at_their_default() -> None:
    given: dict[str, Any] = {"train": "t", "size_px": 64, "max_frames": 16, "autoencoder": "a", "frame_features": "f"}
    assert TrainingSetIdentity(**given, clips_per_shard=256, latents_dtype="float32").key == key_of(given)
    for changed in ({"clips_per_shard": 255}, {"latents_dtype": "float16"}):
        assert TrainingSetIdentity(**given, **changed).as_dict() == {**given, **changed}


def test_observations_are_shared_by_every_score_of_the_same_metric_and_clips() -> None:
    named = {"metric": "fvd", "version": 1, "options": {"network": "i3d"}, "assets": {"i3d": "d"}}
    assert METRIC.observation_key("samples") == key_of({**named, "of": "samples"})
    assert METRIC.observation_key(CLIPS) == key_of({**named, "of": {"clips": "x", "num_frames": 8, "size_px": 64}})


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
        renamed = {"label": cell.label, "method": cell.method} if raw["method"] in RENAMED_CONTROLS else {}
        assert cell.as_dict() == {**raw, "kind": cell.kind, **renamed}
        assert (cell.fit is not None) == (cell.kind == "trained") == isinstance(cell.sample, TrainedSamples)
