"""The two stages: an absorber that knows nothing of time, then a motion LoRA beside it."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from peft.tuners.lora import LoraLayer
from safetensors.torch import load_file, save_file
from torch import Tensor

from rdtf_bench.baselines import customize_a_video
from rdtf_bench.baselines.customize_a_video import (
    ABSORBER,
    MOTION,
    AbsorberStep,
    CustomizeAVideo,
    shuffle_unknown,
    without_temporal_layers,
)
from rdtf_bench.baselines.i2vgen_xl.examples import Examples
from rdtf_bench.core.errors import AssetError
from rdtf_bench.core.method import OnStep
from rdtf_bench.core.seeds import generators_for
from tests.baselines.small_base import FIRST, SAMPLER, Build, Clips, conditions, disturb, drawn, training


def random_inputs(method: Any) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    given: dict[str, Tensor] = method.denoiser_inputs(batch_size=1, num_frames=8, size_px=64)
    for name in ("sample", "image_latents", "image_embeddings", "encoder_hidden_states"):
        given[name] = torch.randn(given[name].shape, generator=generator)
    return given


@torch.no_grad()
def test_without_temporal_layers_frames_do_not_see_each_other(build: Build) -> None:
    network = build(customize_a_video).denoiser()
    given = random_inputs(build(customize_a_video))
    other = {**given, "sample": given["sample"].clone()}
    other["sample"][:, :, 3] += 1
    with without_temporal_layers(network):
        moved = (network(**given).sample != network(**other).sample).flatten(3).any(3).any(1)[0]
    assert moved.tolist() == [frame == 3 for frame in range(8)]


@torch.no_grad()
def test_the_temporal_layers_come_back_even_after_an_error(build: Build) -> None:
    method = build(customize_a_video)
    given = random_inputs(method)
    before = method.denoiser()(**given).sample

    def fail() -> None:
        with without_temporal_layers(method.denoiser()):
            assert not torch.equal(method.denoiser()(**given).sample, before)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert torch.equal(method.denoiser()(**given).sample, before)


def test_only_unknown_frames_are_shuffled() -> None:
    latents = torch.arange(8.0).reshape(1, 1, 8, 1, 1).repeat(2, 1, 1, 1, 1)
    known = torch.tensor([FIRST, (0, 1, 0, 1, 0, 0, 0, 0)], dtype=torch.float32)
    shuffled = shuffle_unknown(latents, known, torch.Generator().manual_seed(0)).flatten(1).tolist()
    assert shuffled[0][0] == 0
    assert (shuffled[1][1], shuffled[1][3]) == (1, 3)
    for frames in shuffled:
        assert frames != list(range(8))
        assert sorted(frames) == list(range(8))


def test_the_absorber_sees_frames_out_of_order_and_alone(build: Build, clips: Clips) -> None:
    method = build(customize_a_video)
    assert isinstance(method, CustomizeAVideo)
    step = AbsorberStep(method, Examples(method.parts, method.config, clips, training()))
    method._activate(ABSORBER)
    with without_temporal_layers(method.network):
        torch.autograd.backward(step.error(method.network, step.batch(drawn(0, 1), 0.0)))
    with_gradient = {name for name, parameter in method.network.named_parameters() if parameter.grad is not None}
    assert with_gradient == set(method.adapter(ABSORBER))
    assert not any("temp" in name or "transformer_in" in name for name in with_gradient)


def test_the_stages_share_the_budget_and_the_absorber_is_discarded(build: Build, clips: Clips, tmp_path: Path) -> None:
    method = build(customize_a_video)
    assert isinstance(method, CustomizeAVideo)
    active: list[list[str]] = []
    layer = next(module for module in method.network.modules() if isinstance(module, LoraLayer))
    steps = []

    def watch(step: int, _: dict[str, float]) -> None:
        steps.append(step)
        active.append(list(layer.active_adapters))

    method.fit(clips, training(num_steps=5), folder=tmp_path, on_step=watch)
    assert steps == [0, 1, 2, 3, 4]
    assert active == [[ABSORBER]] + [[ABSORBER, MOTION]] * 4
    assert layer.active_adapters == [MOTION]
    assert list(method.trainable()) == list(method.adapter(MOTION))


def test_a_sample_between_two_steps_is_made_as_at_the_end(build: Build, clips: Clips, tmp_path: Path) -> None:
    """Sample without the absorber and with the temporal layers: in the first stage it is the base's.
    The training goes on as if nothing had been."""
    given = conditions(FIRST)

    def sample(method: Any) -> Tensor:
        made: Tensor = method.generate(given, generators_for(0, given.clip_ids, "sample"), SAMPLER)
        return made

    fitted = [build(customize_a_video, absorber_share=0.5) for _ in range(2)]
    of_base = sample(fitted[0])
    made: list[Tensor] = []
    steps: list[OnStep] = [lambda *_: made.append(sample(fitted[0])), lambda *_: None]
    for number, (method, on_step) in enumerate(zip(fitted, steps, strict=True)):
        (tmp_path / str(number)).mkdir()
        method.fit(clips, training(num_steps=4), folder=tmp_path / str(number), on_step=on_step)
    assert [torch.equal(clip, of_base) for clip in made] == [True, True, False, False]
    alone = fitted[1].trainable()
    assert all(torch.equal(weight, alone[name]) for name, weight in fitted[0].trainable().items())


def test_a_saved_adapter_holds_no_path_of_this_machine(build: Build, tmp_path: Path) -> None:
    build(customize_a_video).save(tmp_path)
    files = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert sorted(files) == ["adapter.json", "motion/adapter_config.json", "motion/adapter_model.safetensors"]
    assert not any(str(tmp_path.parent).encode() in written or b"PosixPath" in written for written in files.values())


def test_a_damaged_adapter_is_named(build: Build, tmp_path: Path) -> None:
    build(customize_a_video).save(tmp_path)
    weights = tmp_path / MOTION / "adapter_model.safetensors"
    named = load_file(weights)
    first = next(iter(named))
    save_file({name: tensor for name, tensor in named.items() if name != first}, weights)
    with pytest.raises(AssetError, match=f"{first} and 0 more do not match the tensors of this adapter"):
        build(customize_a_video).load(tmp_path)
    weights.write_bytes(b"no tensors")
    with pytest.raises(AssetError, match="cannot be read"):
        build(customize_a_video).load(tmp_path)
    (tmp_path / "adapter.json").write_text("{")
    with pytest.raises(AssetError, match="the file is not JSON"):
        build(customize_a_video).load(tmp_path)
    (tmp_path / "adapter.json").write_text("[]")
    with pytest.raises(AssetError, match="the file is no note of an adapter"):
        build(customize_a_video).load(tmp_path)


def test_a_kept_absorber_is_saved_and_loaded_with_the_motion(build: Build, clips: Clips, tmp_path: Path) -> None:
    method = build(customize_a_video, keep_absorber=True)
    assert isinstance(method, CustomizeAVideo)
    (tmp_path / "fit").mkdir()
    method.fit(clips, training(num_steps=5), folder=tmp_path / "fit", on_step=lambda *_: None)
    (tmp_path / "saved").mkdir()
    method.save(tmp_path / "saved")
    assert {path.name for path in (tmp_path / "saved").iterdir() if path.is_dir()} == {ABSORBER, MOTION}
    fresh = build(customize_a_video, keep_absorber=True)
    fresh.load(tmp_path / "saved")
    given = random_inputs(method)
    with torch.no_grad():
        expected = method.denoiser()(**given).sample
        assert torch.equal(fresh.denoiser()(**given).sample, expected)
        method._activate(MOTION)
        assert not torch.equal(method.denoiser()(**given).sample, expected)


def test_a_kept_absorber_counts_towards_the_total(build: Build) -> None:
    discarded = build(customize_a_video).parameter_counts()
    kept = build(customize_a_video, keep_absorber=True).parameter_counts()
    assert discarded["total"] == discarded["base"] + discarded["trainable"]
    assert kept["total"] == discarded["total"] + kept["absorber"]
    assert kept["trainable"] == discarded["trainable"]


def test_merged_into_the_base_it_gives_the_same_output_without_a_layer_more(build: Build) -> None:
    method = build(customize_a_video)
    assert isinstance(method, CustomizeAVideo)
    disturb(method)
    merged = copy.deepcopy(method.network).merge_and_unload(adapter_names=[MOTION])
    assert sum(parameter.numel() for parameter in merged.parameters()) == method.base_size
    given = random_inputs(method)
    with torch.no_grad():
        expected = method.denoiser()(**given).sample
        found = merged(**given).sample
        # W + BA is rounded once more; outputs are of order 1
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
        assert torch.equal(method.denoiser()(**given).sample, expected)
