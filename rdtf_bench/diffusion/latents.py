"""Between pixels and the autoencoder's latents, frame by frame."""

import torch
from diffusers import AutoencoderKL
from jaxtyping import Float
from torch import Tensor

from rdtf_bench.core.video import Video


@torch.no_grad()
def encode(autoencoder: AutoencoderKL, video: Video) -> Float[Tensor, "B F C H W"]:
    """The posterior's mode times the scaling factor. The released code samples it; the mode keeps a clip the same."""
    posterior = autoencoder.encode(video.flatten(0, 1)).latent_dist
    latents: Tensor = posterior.mode() * autoencoder.config.scaling_factor
    return latents.unflatten(0, video.shape[:2])


@torch.no_grad()
def decode(autoencoder: AutoencoderKL, latents: Float[Tensor, "B F C H W"]) -> Video:
    frames = autoencoder.decode(latents.flatten(0, 1) / autoencoder.config.scaling_factor).sample
    video: Tensor = frames.clamp(-1, 1).unflatten(0, latents.shape[:2])
    return video
