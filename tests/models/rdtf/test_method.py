"""RDTF behind the methods' contract, with random encoders and a network of a few thousand parameters."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from rdtf_bench.core.errors import ProtocolError, StoreError
from rdtf_bench.core.method import Conditions, Method, Sampler, TrainingClips
from rdtf_bench.core.seeds import generator_for, generators_for
from rdtf_bench.models.rdtf.method import RDTF
from tests.models.rdtf.small import TRAINING, Stickers, make

SAMPLER = Sampler(num_steps=2, timestep_spacing="leading", eta=1.0, guidance_text=2.0, guidance_image=3.0)


def fit(method: RDTF, folder: Path, **changed: Any) -> list[dict[str, float]]:
    folder.mkdir(exist_ok=True)
    log: list[dict[str, float]] = []
    method.fit(Stickers(), replace(TRAINING, **changed), folder=folder, on_step=lambda _, values: log.append(values))
    return log


def conditions(count: int, *, known: tuple[int, ...] = (1, 0, 0, 0, 0, 0, 0, 0)) -> Conditions:
    ids = tuple(f"clip{i}" for i in range(count))
    video = torch.stack([torch.rand(8, 3, 16, 16, generator=generator_for("video", i)) * 2 - 1 for i in range(count)])
    mask = torch.tensor([known] * count, dtype=torch.float32)
    captions = tuple(Stickers.captions[i % 5] for i in range(count))
    return Conditions(clip_ids=ids, captions=captions, frames=video * mask[:, :, None, None, None], known=mask)


def generate(method: RDTF, given: Conditions, sampler: Sampler = SAMPLER) -> Tensor:
    return method.generate(given, generators_for(0, given.clip_ids, "sample"), sampler)


def only(given: Conditions, row: int) -> Conditions:
    chosen = slice(row, row + 1)
    return Conditions(
        clip_ids=given.clip_ids[chosen],
        captions=given.captions[chosen],
        frames=given.frames[chosen],
        known=given.known[chosen],
    )


def weights(method: RDTF) -> dict[str, Tensor]:
    return {name: parameter.detach().clone() for name, parameter in method.network.named_parameters()}


def test_keeps_the_contracts(assets: dict[str, Path]) -> None:
    assert isinstance(make(assets), Method)
    assert isinstance(Stickers(), TrainingClips)


@pytest.mark.parametrize(
    ("changed", "adapts"),
    [
        ({}, True),
        ({"curriculum_variant": "released", "loss_mean_over": "all", "representative": "first"}, False),
        ({"curriculum": "linear", "extraction": "intervals", "condition_masks": "task", "k_min": 8}, False),
        ({"curriculum": "none", "padding": "last", "zero_terminal_snr": True, "isolate_padding": True}, False),
    ],
    ids=["paper", "released", "no-ddu", "others"],
)
def test_resumed_ends_in_the_bits_of_uninterrupted(
    assets: dict[str, Path], tmp_path: Path, changed: Any, adapts: bool
) -> None:
    whole = make(assets, **changed)
    log = fit(whole, tmp_path / "whole")
    killed = make(assets, **changed)

    def stop_after_the_checkpoint(step: int, _: dict[str, float]) -> None:
        if step == 2:
            raise KeyboardInterrupt

    (tmp_path / "killed").mkdir()
    with pytest.raises(KeyboardInterrupt):
        killed.fit(Stickers(), TRAINING, folder=tmp_path / "killed", on_step=stop_after_the_checkpoint)
    again = make(assets, **changed)
    # the log too: the weights alone would not show that the curriculum has forgotten what it saw
    assert fit(again, tmp_path / "killed") == log[2:]
    assert all(("target_level" in row and "loss_history" in row) is adapts for row in log[2:])
    for name, weight in weights(whole).items():
        assert torch.equal(weight, weights(again)[name]), name


def test_seeds_decide_the_weights(assets: dict[str, Path], tmp_path: Path) -> None:
    method = make(assets)
    fit(method, tmp_path / "a", num_steps=1)
    first = weights(method)
    fit(method, tmp_path / "b", num_steps=1)
    assert all(torch.equal(weight, first[name]) for name, weight in weights(method).items())
    fit(method, tmp_path / "c", num_steps=1, seed=1)
    assert any(not torch.equal(weight, first[name]) for name, weight in weights(method).items())


def test_the_global_generator_is_left_alone(assets: dict[str, Path], tmp_path: Path) -> None:
    before = torch.get_rng_state()
    method = make(assets, temporal_layer="temporal_conv")
    fit(method, tmp_path / "fit")
    generate(method, conditions(1))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.slow
def test_learns_a_few_stickers_and_then_the_text_matters(assets: dict[str, Path], tmp_path: Path) -> None:
    method = make(assets, block_out_channels=(16, 16))
    log = fit(method, tmp_path / "fit", num_steps=80, batch_size=8, learning_rate=4e-3, checkpoint_every=1000)
    first, last = (sum(row["loss"] for row in rows) / 10 for rows in (log[:10], log[-10:]))
    assert last < 0.8 * first  # 0.70 measured, and the curriculum has made the tasks harder by then
    given = conditions(1)
    other = replace(given, captions=("blue down",))
    assert (generate(method, given) - generate(method, other)).abs().max() > 1e-3


@pytest.mark.parametrize("guidance", ["two_scales", "negative_prompt"])
def test_a_clip_does_not_depend_on_its_batch(assets: dict[str, Path], guidance: str) -> None:
    method, given = make(assets, guidance=guidance), conditions(3)
    together, alone = generate(method, given), generate(method, only(given, 1))
    assert together.shape == given.frames.shape
    torch.testing.assert_close(together[1:2], alone, rtol=1e-4, atol=1e-4)


def test_pictures_are_in_range(assets: dict[str, Path]) -> None:
    assert generate(make(assets), conditions(2)).abs().max() <= 1


def test_the_known_frame_and_the_caption_matter_and_unknown_frames_do_not(assets: dict[str, Path]) -> None:
    method, given = make(assets), conditions(1)
    before = generate(method, given)
    brighter = replace(given, frames=(given.frames + 0.3) * given.known[:, :, None, None, None])
    assert (generate(method, brighter) - before).abs().max() > 1e-5
    assert (generate(method, replace(given, captions=("x",))) - before).abs().max() > 1e-5
    unseen = replace(given, frames=torch.where(given.known[:, :, None, None, None] > 0, given.frames, 0.5))
    torch.testing.assert_close(generate(method, unseen), before, rtol=0, atol=0)


@pytest.mark.parametrize("known", [(0,) * 8, (1, 0, 1, 0, 1, 0, 1, 0), (1,) * 7 + (0,)])
def test_any_mask_can_be_given(assets: dict[str, Path], known: tuple[int, ...]) -> None:
    given = conditions(2, known=known)
    assert generate(make(assets), given).shape == given.frames.shape


@pytest.mark.parametrize(("image", "text", "forwards"), [(3.0, 2.0, 3), (2.0, 2.0, 2), (1.0, 1.0, 1)])
def test_only_needed_branches_are_computed(assets: dict[str, Path], image: float, text: float, forwards: int) -> None:
    method, batches = make(assets), []
    method.network.register_forward_hook(lambda _, __, output: batches.append(len(output.sample)))
    generate(method, conditions(2), replace(SAMPLER, guidance_image=image, guidance_text=text))
    assert batches == [2 * forwards] * SAMPLER.num_steps


def test_saved_weights_come_back_and_nothing_frozen_is_saved(assets: dict[str, Path], tmp_path: Path) -> None:
    method = make(assets)
    fit(method, tmp_path / "fit", num_steps=1)
    (tmp_path / "weights").mkdir()
    method.save(tmp_path / "weights")
    again = make(assets)
    again.load(tmp_path / "weights")
    given = conditions(1)
    torch.testing.assert_close(generate(again, given), generate(method, given), rtol=0, atol=0)
    saved = sum(path.stat().st_size for path in (tmp_path / "weights").glob("*.safetensors"))
    assert saved < 4 * method.parameter_counts()["total"] + 200_000


def test_weights_of_another_network_are_refused_by_name(assets: dict[str, Path], tmp_path: Path) -> None:
    make(assets).save(tmp_path)
    with pytest.raises(StoreError, match=r"sti_pool 2 \(here 1\)"):
        make(assets, sti_pool=1).load(tmp_path)


def test_another_number_of_frames_is_refused_before_any_work(assets: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="num_frames to 5"):
        fit(make(assets), tmp_path / "fit", num_frames=5)


def test_the_schedule_of_i2vgen_xl_ends_in_noise_alone_and_its_last_step_in_the_picture(
    assets: dict[str, Path],
) -> None:
    theirs = make(assets, beta_schedule="squaredcos_cap_v2", zero_terminal_snr=True).scheduler
    ours = make(assets).scheduler
    assert theirs.alphas_cumprod[-1] == 0
    assert theirs.final_alpha_cumprod == 1
    assert ours.alphas_cumprod[-1] > 0
    assert ours.final_alpha_cumprod == ours.alphas_cumprod[0] < 1


def test_gradient_checkpointing_changes_no_weight_and_not_what_is_saved(
    assets: dict[str, Path], tmp_path: Path
) -> None:
    plain, recomputed = make(assets), make(assets)
    fit(plain, tmp_path / "plain", num_steps=2)
    fit(recomputed, tmp_path / "recomputed", num_steps=2, gradient_checkpointing=True)
    assert recomputed.network.is_gradient_checkpointing
    for name, weight in weights(recomputed).items():
        torch.testing.assert_close(weight, weights(plain)[name], rtol=1e-5, atol=1e-7)
    (tmp_path / "weights").mkdir()
    plain.save(tmp_path / "weights")
    recomputed.load(tmp_path / "weights")


def test_frozen_networks_stay_as_they_are(assets: dict[str, Path], tmp_path: Path) -> None:
    method = make(assets)
    frozen = [*method.autoencoder.parameters(), *method.text.clip.parameters(), *method.text.t5.parameters()]
    fit(method, tmp_path / "fit", num_steps=1)
    assert all(not parameter.requires_grad and parameter.grad is None for parameter in frozen)


def test_the_denoiser_runs_on_its_inputs_and_is_counted(assets: dict[str, Path]) -> None:
    method = make(assets)
    given = method.denoiser_inputs(batch_size=2, num_frames=8, size_px=32)
    assert given["sample"].shape == (2, 4, 8, 8, 8)
    with torch.no_grad():
        assert method.denoiser()(**given).sample.shape == (2, 4, 8, 8, 8)
    counts = method.parameter_counts()
    assert counts["base"] + counts["trainable"] == counts["total"]
    assert counts["total"] == sum(p.numel() for p in method.network.parameters())
