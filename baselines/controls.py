"""Control rows that every method is compared with: the true clip and a still clip through the autoencoder alone."""

import torch
from diffusers import AutoencoderKL
from jaxtyping import Float
from torch import Tensor

from rdtf_bench.core.video import Video
from rdtf_bench.diffusion.latents import decode, encode

VERSION = 1
SUMMARIES = {
    "static": "The nearest known frame, repeated: what a method that generates no motion makes.",
    "autoencoder": "The true clip through the autoencoder: what a denoiser without errors would score.",
    "real": "The true clip as it is: what a column says of perfect clips.",
    "other_real_clips": "True clips of another split against the test clips, unpaired.",
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
    """Pass the true clip through the autoencoder, as a denoiser without errors would give it."""
    return decode(autoencoder, encode(autoencoder, video))
