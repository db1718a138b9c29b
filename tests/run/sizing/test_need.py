"""The model of memory equals what real training steps hold, at the scale tiny on a CPU."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from rdtf_bench.core.method import Conditions, Sampler, Training
from rdtf_bench.run.build.modules import build
from rdtf_bench.run.sizing.live import LiveBytes, autocast_as_on_cuda
from rdtf_bench.run.sizing.need import sampling_bytes, training_need
from rdtf_bench.run.sizing.probe import RandomClips
from rdtf_bench.run.table.context import find_assets, plan_cells
from rdtf_bench.spec.identities import FitIdentity, SamplerIdentity
from rdtf_bench.spec.load import load_protocol, load_scale
from tests.plans import DATA

SCALE = load_scale("tiny")
SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "recomputed": {"gradient_checkpointing": True},
    "accumulated": {"micro_batch_size": 2, "ema_decay": 0.0},
    "half": {"mixed_precision": "bf16"},
}


def planned(method: str) -> FitIdentity:
    cells = plan_cells(load_protocol("table1"), SCALE, DATA, find_assets(SCALE))
    return next(cell.trained for cell in cells if cell.method == method)


def training_of(fit: FitIdentity, settings: dict[str, Any]) -> Training:
    return replace(Training(**fit.training.model_dump()), num_steps=2, batch_size=4, **settings)


def networks(holder: object) -> Iterator[nn.Module]:
    """Yield the networks among the attributes of an object and of their own attributes."""
    for value in vars(holder).values():
        if isinstance(value, nn.Module):
            yield value
        elif type(value).__module__.startswith("rdtf_bench."):
            yield from networks(value)


def tensors(holder: object) -> Iterator[Tensor]:
    for network in networks(holder):
        yield from network.parameters()
        yield from network.buffers()


def measured(fit: FitIdentity, training: Training, folder: Path) -> int:
    """Return the most bytes that two real steps of a training hold."""
    assets = find_assets(SCALE)
    method = build(fit, {role: asset.path for role, asset in assets.items()}, torch.device("cpu"))
    clips = RandomClips(8, SCALE, assets["autoencoder"].config())
    live = LiveBytes()
    live.hold(tensors(method))
    with live, autocast_as_on_cuda():
        method.fit(clips, training, folder=folder, on_step=lambda *_: None)
    return live.peak


@pytest.mark.parametrize(
    ("method", "setting"),
    [
        ("rdtf", "plain"),
        ("rdtf", "half"),
        ("i2v_adapter", "recomputed"),
        ("customize_a_video", "accumulated"),
        pytest.param("rdtf", "recomputed", marks=pytest.mark.long),
        pytest.param("simda", "plain", marks=pytest.mark.long),
    ],
)
def test_the_model_equals_what_real_steps_hold(method: str, setting: str, tmp_path: Path) -> None:
    fit = planned(method)
    training = training_of(fit, SETTINGS[setting])
    needed = training_need(fit, training, SCALE).total
    # the model leaves out the batch, its captions and the optimiser's counters, which are small even at this size
    assert needed == pytest.approx(measured(fit, training, tmp_path), rel=0.05)


@pytest.mark.parametrize("method", ["rdtf", "simda"])
def test_sharded_weights_are_divided_by_the_number_of_processes(method: str) -> None:
    fit = planned(method)
    training = training_of(fit, {})
    whole = training_need(fit, training, SCALE, processes=4)
    part = training_need(fit, replace(training, shard_weights=True), SCALE, processes=4)
    for name in ("trained", "frozen", "gradients", "moments", "average"):
        assert getattr(part, name) == pytest.approx(getattr(whole, name) / 4, abs=4), name
    assert (part.around, part.activations) == (whole.around, whole.activations)
    assert 0 < part.exchange < 2 * (whole.trained + whole.frozen)  # less than all weights with their gradients
    assert part.total < whole.total


def test_the_model_equals_what_real_sampling_holds() -> None:
    scale = SCALE.model_copy(update={"sampling": SCALE.sampling.model_copy(update={"batch_size": 3})})
    fit, assets, shape = planned("rdtf"), find_assets(SCALE), (3, 8, 3, 64, 64)
    method = build(fit, {role: asset.path for role, asset in assets.items()}, torch.device("cpu"))
    known = torch.zeros(shape[:2])
    known[:, 0] = 1
    given = Conditions(
        clip_ids=("a", "b", "c"), captions=("one", "two", "three"), frames=torch.zeros(shape), known=known
    )
    settings: dict[str, Any] = {
        "guidance_text": 3.0,
        "guidance_image": 2.0,
        "eta": 1.0,
        "num_steps": 2,
        "timestep_spacing": "trailing",
    }
    live = LiveBytes()
    live.hold(tensors(method))
    with live:
        method.generate(given, [torch.Generator() for _ in given.clip_ids], Sampler(**settings))
    # three branches of guidance; the decoder holds most
    assert sampling_bytes(fit, SamplerIdentity(**settings), scale) == pytest.approx(live.peak, rel=0.05)
