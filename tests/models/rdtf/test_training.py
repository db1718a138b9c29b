"""The training step of RDTF: what counts in its loss and what it logs."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL
from jaxtyping import UInt8
from torch import Tensor

from rdtf_bench.core.seeds import generator_for
from rdtf_bench.core.video import to_unit
from rdtf_bench.diffusion.latents import encode
from rdtf_bench.diffusion.objective import Drawn
from rdtf_bench.models.rdtf.training import TrainingStep, posterior_samples
from tests.models.rdtf.small import TRAINING, Stickers, make


def test_logs_what_the_curriculum_did(assets: dict[str, Path], tmp_path: Path) -> None:
    log: list[dict[str, float]] = []
    make(assets).fit(Stickers(), TRAINING, folder=tmp_path, on_step=lambda _, values: log.append(values))
    assert {"loss", "target_level", "realised_level", "expected_level", "weight_generation"} <= set(log[0])
    assert ["loss_history" in row for row in log] == [False, True, True, True]  # the first step has none
    for row in log:
        assert row["weight_interpolation"] + row["weight_prediction"] + row["weight_generation"] == pytest.approx(1)


def loss_of(step: TrainingStep, batch_size: int) -> Tensor:
    drawn = [Drawn(index=place % 2, generator=generator_for(0, "clip", place)) for place in range(batch_size)]
    batch = step.batch(drawn, 0.0)
    return step.error(step.network, batch) / step.count(batch)


def test_steps_on_one_batch_lower_its_loss(assets: dict[str, Path]) -> None:
    method = make(assets, curriculum="none")
    step = method._training_step(Stickers(), TRAINING)
    optimizer = torch.optim.SGD(method.network.parameters(), lr=1e-2)
    losses = []
    for _ in range(3):
        loss = loss_of(step, 2)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert losses[2] < losses[1] < losses[0]


def test_padding_carries_no_loss(assets: dict[str, Path]) -> None:
    """The network sees what fills the frames behind the k-th, and its output there gets no gradient."""
    method = make(assets, curriculum="none")
    gradients: list[Tensor] = []
    method.network.register_forward_hook(lambda _, __, output: output.sample.register_hook(gradients.append) and None)
    step = method._training_step(Stickers(), replace(TRAINING, batch_size=8))
    loss = loss_of(step, 8)
    loss.backward()  # type: ignore[no-untyped-call]
    has_gradient = gradients[0].abs().amax(dim=(1, 3, 4)) > 0
    lengths = has_gradient.sum(dim=1)
    assert lengths.min() < 8
    for row, length in zip(has_gradient, lengths.tolist(), strict=True):
        assert row.tolist() == [True] * length + [False] * (8 - length)


class Pictures(Stickers):
    def frames(self, index: int, places: Sequence[int]) -> UInt8[Tensor, "F C H W"]:
        generator = torch.Generator().manual_seed(index)
        return torch.randint(256, (2, 3, 16, 16), generator=generator).to(torch.uint8)[list(places)]


def test_latents_of_the_posterior_are_its_mode_and_noise_from_the_generator(assets: dict[str, Path]) -> None:
    autoencoder = AutoencoderKL.from_pretrained(assets["autoencoder"]).eval()
    mode = encode(autoencoder, to_unit(Pictures().frames(0, (0, 1))[None]))[0]

    def drawn(seed: int, places: tuple[int, ...] = (0, 1)) -> Tensor:
        return posterior_samples(Pictures(), autoencoder)(0, places, torch.Generator().manual_seed(seed))

    torch.testing.assert_close(drawn(0), drawn(0), rtol=0, atol=0)
    differences = torch.stack([drawn(seed) - mode for seed in range(64)])
    assert differences[0].abs().max() > 0
    samples = drawn(0, (1, 0, 1))
    assert torch.equal(samples[0], samples[2])
    torch.testing.assert_close(samples[[1, 0]], drawn(0), rtol=0, atol=0)
    # the mean of 64 draws lies within five standard errors of the mode
    assert (differences.mean(0).abs() <= 5 * differences.std(0) / 8).all()
