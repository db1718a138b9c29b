"""The sampling loop around diffusers' DDIM scheduler (Song et al. 2020), with one generator per clip."""

from collections.abc import Callable, Sequence

import torch
from diffusers import DDIMScheduler
from jaxtyping import Float
from torch import Tensor

from rdtf_bench.core.method import Sampler

Latents = Float[Tensor, "B C F H W"]  # the axes of the denoisers

Denoise = Callable[[Latents, int], Latents]
"""Function from noisy latents and a timestep to the guided output, in the scheduler's prediction type."""


def noise_like(latents: Latents, generators: Sequence[torch.Generator]) -> Latents:
    """Draw noise on the CPU in float32, clip by clip, so that it depends on the clip's generator alone."""
    draws = [torch.randn(latents.shape[1:], generator=generator) for generator in generators]
    return torch.stack(draws).to(latents)


class _DDIM(DDIMScheduler):  # type: ignore[misc]
    """DDIM without roots of negative numbers.

    With eta 1 and a schedule that ends in pure noise, `1 - alpha - variance` of the first step is 0 up to rounding.
    diffusers takes its root, which is NaN at some numbers of steps, such as 3 with trailing spacing.
    """

    def _get_variance(self, timestep: int, prev_timestep: int) -> Tensor:
        variance: Tensor = super()._get_variance(timestep, prev_timestep)
        alpha = self.alphas_cumprod[prev_timestep] if prev_timestep >= 0 else self.final_alpha_cumprod
        while 1 - alpha - (variance**0.5) ** 2 < 0:
            variance = torch.nextafter(variance, torch.zeros_like(variance))
        return variance


@torch.no_grad()
def sample_latents(
    denoise: Denoise,
    like: Latents,
    *,
    scheduler: DDIMScheduler,
    generators: Sequence[torch.Generator],
    sampler: Sampler,
    project: Callable[[Latents], Latents] | None = None,
) -> Latents:
    """Sample latents of the shape, dtype and device of `like`.

    `project` imposes the known frames again before each call of the denoiser and at the end.
    """
    scheduler = _DDIM.from_config(scheduler.config, timestep_spacing=sampler.timestep_spacing)
    scheduler.set_timesteps(sampler.num_steps)
    latents = noise_like(like, generators) * scheduler.init_noise_sigma
    for timestep in scheduler.timesteps.tolist():
        if project is not None:
            latents = project(latents)
        output = denoise(latents, timestep)
        # drawn at every step, so that eta changes the amount of noise but not the noise itself
        noise = noise_like(latents, generators) if sampler.eta > 0 else None
        latents = scheduler.step(output, timestep, latents, eta=sampler.eta, variance_noise=noise).prev_sample
    return latents if project is None else project(latents)
