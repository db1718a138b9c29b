"""Sampling of clips from known frames and captions, shared by the benchmark's method and the diffusers pipeline."""

from collections.abc import Sequence
from typing import Literal

import torch
from diffusers import AutoencoderKL, DDIMScheduler
from jaxtyping import Float
from torch import Tensor

from rdtf_bench.core.method import Sampler
from rdtf_bench.core.video import Video
from rdtf_bench.diffusion.guidance import Branch, combine, one_scale, stack, two_scales
from rdtf_bench.diffusion.latents import decode, encode, pixels_per_latent
from rdtf_bench.diffusion.sampling import sample_latents
from rdtf_bench.models.rdtf.attention import TextKeys
from rdtf_bench.models.rdtf.dfgn import DFGN, LATENT_CHANNELS
from rdtf_bench.models.rdtf.text import TextEncoders

Guidance = Literal["two_scales", "negative_prompt"]


@torch.no_grad()
def generate(
    network: DFGN,
    autoencoder: AutoencoderKL,
    text: TextEncoders,
    scheduler: DDIMScheduler,
    *,
    captions: Sequence[str],
    frames: Float[Tensor, "B F C H W"],
    known: Float[Tensor, "B F"],
    generators: Sequence[torch.Generator],
    sampler: Sampler,
    guidance: Guidance,
    negative_prompt: str,
    device: torch.device,
) -> Video:
    """Sample one clip per caption. Only the frames for which `known` is 1 are used.

    generators: one CPU generator per clip.
    device: the device that the networks run on. With diffusers' offloading they are moved there when they are called.

    The networks may have any dtype. The latents between them are float32.
    """
    if guidance == "two_scales":
        branches = two_scales(image=sampler.guidance_image, text=sampler.guidance_text)
    else:
        branches = one_scale(text=sampler.guidance_text)
    dtype = network.dtype
    given = _known_latents(autoencoder, frames, known, device)
    image_latents = stack(given, torch.zeros_like(given), [branch.image for branch in branches]).to(dtype)
    absent = "" if guidance == "two_scales" else negative_prompt
    text_keys = _branch_keys(network, text, captions, branches, absent)

    def denoise(latents: Float[Tensor, "B C F H W"], timestep: int) -> Float[Tensor, "B C F H W"]:
        repeated = latents.repeat(len(branches), 1, 1, 1, 1)
        outputs = network(repeated.to(dtype), timestep, image_latents, text_keys=text_keys).sample
        return combine(outputs.to(latents.dtype), branches)

    latents = sample_latents(denoise, given, scheduler=scheduler, generators=generators, sampler=sampler)
    return decode(autoencoder, latents.transpose(1, 2))


def _known_latents(
    autoencoder: AutoencoderKL, frames: Float[Tensor, "B F C H W"], known: Float[Tensor, "B F"], device: torch.device
) -> Float[Tensor, "B c F h w"]:
    """Return the latents of the known frames and zeros for the others; only known frames are encoded."""
    batch_size, num_frames, _, height, width = frames.shape
    shrink = pixels_per_latent(autoencoder.config)
    latents = torch.zeros(batch_size, num_frames, LATENT_CHANNELS, height // shrink, width // shrink)
    places = known.bool().cpu()
    if places.any():
        latents[places] = encode(autoencoder, frames[places][None].to(device))[0].cpu()
    return latents.transpose(1, 2).to(device)


def _branch_keys(
    network: DFGN, text: TextEncoders, captions: Sequence[str], branches: Sequence[Branch], absent: str
) -> TextKeys:
    """Return the text keys and values of every guidance branch, computed once for the whole sampling run."""
    states = text.recall(captions), text.recall([absent] * len(captions))
    given_keys, absent_keys = (network.text_keys(s.clip.to(network.dtype), s.t5.to(network.dtype)) for s in states)
    choices = [branch.text for branch in branches]
    return {
        place: (stack(keys, absent_keys[place][0], choices), stack(values, absent_keys[place][1], choices))
        for place, (keys, values) in given_keys.items()
    }
