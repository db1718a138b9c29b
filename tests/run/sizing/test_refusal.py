"""Rows that cannot fit into a GPU are refused with the settings that save memory."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from rdtf_bench.core.errors import DeviceError
from rdtf_bench.core.method import Training
from rdtf_bench.run.sizing import need, refusal
from rdtf_bench.run.sizing.need import Need
from rdtf_bench.run.sizing.refusal import Device
from rdtf_bench.run.table.context import find_assets, plan_cells
from rdtf_bench.spec.load import load_protocol, load_scale
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.scale import Scale
from tests.plans import DATA

GIB = 2**30
NOTHING = Need(trained=0, frozen=0, gradients=0, exchange=0, moments=0, average=0, around=0, activations=0)


def planned(scale: Scale, seeds: Sequence[int] = (0,)) -> list[Cell]:
    spec = load_protocol("table1").model_copy(update={"seeds": tuple(seeds)})
    return plan_cells(spec, scale, DATA, find_assets(scale))


def with_training(**changes: Any) -> Scale:
    tiny = load_scale("tiny")
    return tiny.model_copy(update={"training": tiny.training.model_copy(update=changes)})


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Replace the model of memory by one that is done by heart, and list the methods that it is asked for."""
    asked: list[str] = []

    def training_need(fit: Any, training: Training, _scale: Scale, *, processes: int) -> Need:
        asked.append(fit.method)
        at_once = min(training.micro_batch_size or training.batch_size, training.batch_size // processes)
        activations = at_once * (1 if training.gradient_checkpointing else 4) * GIB
        average = 3 * GIB // (processes if training.shard_weights else 1) if training.ema_decay else 0
        half = 2 if training.mixed_precision == "no" else 1
        return replace(NOTHING, activations=activations * half, average=average)

    monkeypatch.setattr(need, "training_need", training_need)
    monkeypatch.setattr(need, "sampling_bytes", lambda _fit, _sampler, scale: scale.sampling.batch_size * GIB)
    return asked


def test_rows_that_differ_by_the_seed_alone_are_looked_at_once(model: list[str]) -> None:
    scale = with_training(batch_size=2)
    refusal.require(planned(scale, seeds=(0, 1, 2)), scale, Device(name="H", num_bytes=99 * GIB), processes=1)
    assert sorted(model) == ["customize_a_video", "i2v_adapter", "rdtf", "simda"]


@pytest.mark.usefixtures("model")
def test_a_training_that_cannot_fit_names_what_saves_memory_and_how_much() -> None:
    scale = with_training(batch_size=8)
    with pytest.raises(DeviceError) as caught:
        refusal.require(planned(scale), scale, Device(name="NVIDIA L4", num_bytes=22 * GIB), processes=1)
    said = str(caught.value)
    assert "row 'Customize-A-Video': training needs 67.0 GiB of memory at scale tiny, and NVIDIA L4 has 22.0" in said
    assert "training.micro_batch_size: 1 needs 11.0 GiB; " in said
    assert "training.gradient_checkpointing: true needs 19.0 GiB; " in said
    assert "training.mixed_precision: bf16 needs 35.0 GiB; " in said
    assert "training.ema_decay: 0 needs 64.0 GiB; all of these needs 1.0 GiB)" in said


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize(
    ("num_gib", "named"),
    [
        (22, "--processes 4 --shard-weights (16.8 GiB of each of 4 GPUs)"),  # two need 33.5
        (1, "--processes 8 --shard-weights (8.4 GiB of each of 8 GPUs)"),  # no number is enough by itself
    ],
)
def test_a_training_that_cannot_fit_names_how_many_processes_may_share_its_weights(num_gib: int, named: str) -> None:
    scale = with_training(batch_size=8)
    with pytest.raises(DeviceError) as caught:
        refusal.require(planned(scale), scale, Device(name="card", num_bytes=num_gib * GIB), processes=1)
    assert f"1.0 GiB), give {named}, or use a larger GPU. " in str(caught.value)


@pytest.mark.usefixtures("model")
def test_only_more_processes_are_named_where_they_share_the_weights_already() -> None:
    scale, card = with_training(batch_size=8), Device(name="card", num_bytes=15 * GIB)
    with pytest.raises(DeviceError, match=r"needs 16\.8 GiB .*, give --processes 8 --shard-weights \(8\.4 GiB"):
        refusal.require(planned(scale), scale, card, processes=4, shard_weights=True)


@pytest.mark.usefixtures("model")
def test_settings_that_save_nothing_more_are_not_named() -> None:
    scale = with_training(
        batch_size=8, micro_batch_size=1, gradient_checkpointing=True, mixed_precision="fp16", ema_decay=0.0
    )
    with pytest.raises(DeviceError, match=r"Change the scale \(a narrower network\), or use a larger GPU"):
        refusal.require(planned(scale), scale, Device(name="small", num_bytes=1), processes=1)


@pytest.mark.usefixtures("model")
def test_processes_share_the_batch() -> None:
    scale = with_training(batch_size=8, gradient_checkpointing=True, ema_decay=0.0)
    card = Device(name="card", num_bytes=16 * GIB)
    refusal.require(planned(scale), scale, card, processes=8)
    refusal.require(planned(scale), scale, card, processes=1)
    with pytest.raises(DeviceError, match="needs 64"):
        refusal.require(planned(with_training(batch_size=8, ema_decay=0.0)), scale, card, processes=1)


@pytest.mark.usefixtures("model")
def test_sampling_that_cannot_fit_names_its_batch_size() -> None:
    scale = with_training(batch_size=1)
    with pytest.raises(DeviceError, match=r"sampling needs 16\.0 GiB .* \(sampling\.batch_size is 16\)"):
        refusal.require(planned(scale), scale, Device(name="card", num_bytes=15 * GIB), processes=1)


def test_a_plug_in_that_cannot_say_what_it_needs_is_not_refused(
    model: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(need, "is_known", lambda _method: False)
    scale = with_training()
    refusal.require(planned(scale), scale, Device(name="card", num_bytes=1), processes=1)
    assert model == []
