"""The sampling loop: clips keep their own noise, and a perfect denoiser gives back the clip."""

from collections.abc import Callable
from typing import Literal

import pytest
import torch
from diffusers import DDIMScheduler

from rdtf_bench.core.method import Sampler
from rdtf_bench.core.seeds import generators_for
from rdtf_bench.diffusion.sampling import noise_like, sample_latents

SHAPE = (3, 4, 2, 5, 5)
IDS = ("a", "b", "c")


def scheduler(prediction_type: Literal["epsilon", "v_prediction"]) -> DDIMScheduler:
    return DDIMScheduler(
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        prediction_type=prediction_type,
        clip_sample=False,
        set_alpha_to_one=True,
    )


def sampler(*, eta: float = 0.0, num_steps: int = 10, timestep_spacing: str = "trailing") -> Sampler:
    return Sampler(
        num_steps=num_steps, timestep_spacing=timestep_spacing, eta=eta, guidance_text=1.0, guidance_image=1.0
    )


def truth() -> torch.Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(1))


def perfect(noise_schedule: DDIMScheduler, clean: torch.Tensor) -> Callable[[torch.Tensor, int], torch.Tensor]:
    """The network's output that belongs to noisy latents when the clean ones are known."""

    def denoise(latents: torch.Tensor, timestep: int) -> torch.Tensor:
        signal = noise_schedule.alphas_cumprod[timestep].sqrt()
        sigma = (1 - noise_schedule.alphas_cumprod[timestep]).sqrt()
        noise = (latents - signal * clean) / sigma
        return noise if noise_schedule.config.prediction_type == "epsilon" else signal * noise - sigma * clean

    return denoise


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction"])
@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_a_perfect_denoiser_ends_at_the_clean_latents(
    prediction_type: Literal["epsilon", "v_prediction"], eta: float
) -> None:
    steps, clean = scheduler(prediction_type), truth()
    latents = sample_latents(
        perfect(steps, clean),
        torch.zeros(SHAPE),
        scheduler=steps,
        generators=generators_for(0, IDS, "sample"),
        sampler=sampler(eta=eta),
    )
    torch.testing.assert_close(latents, clean, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_a_clip_gets_the_same_noise_in_any_batch(eta: float) -> None:
    def shrink(latents: torch.Tensor, _: int) -> torch.Tensor:
        return 0.5 * latents

    def run(ids: tuple[str, ...]) -> torch.Tensor:
        like = torch.zeros(len(ids), *SHAPE[1:])
        generators = generators_for(0, ids, "sample")
        steps = scheduler("epsilon")
        return sample_latents(shrink, like, scheduler=steps, generators=generators, sampler=sampler(eta=eta))

    together, alone = run(IDS), run(("b",))
    torch.testing.assert_close(together[1], alone[0], rtol=0, atol=0)
    assert (together[0] - together[1]).abs().max() > 0.1


def test_eta_changes_how_much_noise_is_added_and_not_which() -> None:
    draws = {}
    for eta in (0.5, 1.0):
        generators = generators_for(0, IDS, "sample")
        steps = scheduler("epsilon")
        sample_latents(
            perfect(steps, truth()),
            torch.zeros(SHAPE),
            scheduler=steps,
            generators=generators,
            sampler=sampler(eta=eta),
        )
        draws[eta] = torch.randn(3, generator=generators[0])
    assert torch.equal(draws[0.5], draws[1.0])  # the generators stand at the same place


@pytest.mark.parametrize(("timestep_spacing", "first"), [("leading", 900), ("trailing", 999)])
def test_the_sampler_says_where_the_steps_are(timestep_spacing: str, first: int) -> None:
    seen = []

    def denoise(latents: torch.Tensor, timestep: int) -> torch.Tensor:
        seen.append(timestep)
        return latents

    sample_latents(
        denoise,
        torch.zeros(SHAPE),
        scheduler=scheduler("epsilon"),
        generators=generators_for(0, IDS, "sample"),
        sampler=sampler(timestep_spacing=timestep_spacing),
    )
    assert (len(seen), seen[0]) == (10, first)


def test_what_is_known_is_imposed_before_every_call_and_at_the_end() -> None:
    seen = []

    def denoise(latents: torch.Tensor, _: int) -> torch.Tensor:
        seen.append(latents[:, :, 0].clone())
        return latents

    def project(latents: torch.Tensor) -> torch.Tensor:
        return torch.cat([torch.full_like(latents[:, :, :1], 7.0), latents[:, :, 1:]], dim=2)

    latents = sample_latents(
        denoise,
        torch.zeros(SHAPE),
        scheduler=scheduler("epsilon"),
        generators=generators_for(0, IDS, "sample"),
        sampler=sampler(num_steps=3),
        project=project,
    )
    assert len(seen) == 3
    assert all((frame == 7).all() for frame in [*seen, latents[:, :, 0]])


def test_noise_is_drawn_in_float32_and_then_cast() -> None:
    half = noise_like(torch.zeros(SHAPE, dtype=torch.bfloat16), generators_for(0, IDS, "sample"))
    full = noise_like(torch.zeros(SHAPE), generators_for(0, IDS, "sample"))
    assert half.dtype is torch.bfloat16
    torch.testing.assert_close(half, full.bfloat16(), rtol=0, atol=0)


@pytest.mark.parametrize("num_steps", [1, 3, 7, 24, 40])  # all but the first were NaN in diffusers' own DDIM
def test_samples_are_finite_on_a_schedule_that_ends_in_pure_noise(num_steps: int) -> None:
    steps = DDIMScheduler(
        beta_schedule="squaredcos_cap_v2",
        rescale_betas_zero_snr=True,
        prediction_type="v_prediction",
        clip_sample=False,
    )
    latents = sample_latents(
        lambda latents, _: 0.5 * latents,
        torch.zeros(1, 1, 1, 2, 2),
        scheduler=steps,
        generators=generators_for(0, ("a",), "sample"),
        sampler=sampler(eta=1.0, num_steps=num_steps),
    )
    assert latents.isfinite().all()
