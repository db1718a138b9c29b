"""Control rows that every method is compared with: the real clip and a still clip through the autoencoder alone."""

import torch
from diffusers import AutoencoderKL
from jaxtyping import Float
from torch import Tensor

from rdtf_bench.core.video import Video
from rdtf_bench.diffusion.latents import decode, encode

VERSION = 1
SUMMARIES = {
    "static": "The nearest known frame, repeated, through the autoencoder: a method that generates no motion.",
    "autoencoder": "The real clip through the autoencoder: what a denoiser without errors would score.",
    "real": "The real clip as it is: what a metric says of perfect clips.",
    "other_real_clips": "Real clips of another split against the test clips, unpaired.",
}
"""What `rdtf-bench list` says of each row."""


def static(frames: Video, known: Float[Tensor, "B F"], autoencoder: AutoencoderKL) -> Video:
    """Repeat for each frame the nearest known frame (the earlier one of two), passed through the autoencoder.

    This is the score of a method that generates no motion. With a known first frame, every frame repeats it.
    """
    places = torch.arange(known.shape[1], device=known.device)
    distance = (places[:, None] - places).abs().expand(len(known), -1, -1)
    unknown = ~known.bool()[:, None]
    nearest = distance.masked_fill(unknown, len(places)).argmin(dim=2)
    return reconstruct(frames, autoencoder)[torch.arange(len(known), device=known.device)[:, None], nearest]


def reconstruct(video: Video, autoencoder: AutoencoderKL) -> Video:
    """Pass the real clip through the autoencoder, as a denoiser without errors would give it."""
    return decode(autoencoder, encode(autoencoder, video))
