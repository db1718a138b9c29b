"""Between pixels and the autoencoder's latents, frame by frame; c, h and w are a latent's axes."""

import torch
from diffusers import AutoencoderKL
from jaxtyping import Float
from torch import Tensor

from rdtf_bench.core.video import Video


@torch.no_grad()
def encode(autoencoder: AutoencoderKL, video: Video) -> Float[Tensor, "B F c h w"]:
    """The posterior's mode times the scaling factor. The released code samples it; the mode keeps a clip the same."""
    posterior = autoencoder.encode(video.flatten(0, 1)).latent_dist
    latents: Tensor = posterior.mode() * autoencoder.config.scaling_factor
    return latents.view(*video.shape[:2], *latents.shape[1:])


@torch.no_grad()
def decode(autoencoder: AutoencoderKL, latents: Float[Tensor, "B F c h w"]) -> Video:
    frames = autoencoder.decode(latents.flatten(0, 1) / autoencoder.config.scaling_factor).sample
    return frames.clamp(-1, 1).view(*latents.shape[:2], *frames.shape[1:])
