"""Control rows, the yardstick of every method: what the autoencoder alone makes of a still and of the true clip."""

import torch
from diffusers import AutoencoderKL
from jaxtyping import Float
from torch import Tensor

from rdtf_bench.core.video import Video
from rdtf_bench.diffusion.latents import decode, encode

VERSION = 1


def static(frames: Video, known: Float[Tensor, "B F"], autoencoder: AutoencoderKL) -> Video:
    """Each frame's nearest known frame, the earlier of two, through the autoencoder: a method that does not move gets
    this. From an image that is the first frame, repeated."""
    places = torch.arange(known.shape[1], device=known.device)
    distance = (places[:, None] - places).abs().expand(len(known), -1, -1)
    unknown = ~known.bool()[:, None]
    nearest = distance.masked_fill(unknown, len(places)).argmin(dim=2)
    return reconstruct(frames, autoencoder)[torch.arange(len(known), device=known.device)[:, None], nearest]


def reconstruct(video: Video, autoencoder: AutoencoderKL) -> Video:
    """The true clip through the autoencoder: no method on its latents can do better."""
    return decode(autoencoder, encode(autoencoder, video))
