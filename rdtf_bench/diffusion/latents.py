"""Encode pixels to the autoencoder's latents and back, frame by frame; c, h and w are the axes of a latent."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL
from jaxtyping import Float
from torch import Tensor

from rdtf_bench.core.video import Video
from rdtf_bench.diffusion.freezing import freeze
from rdtf_bench.diffusion.loading import load_network

LARGE = 32 * 32  # latents per frame at 256 px
LARGE_AT_ONCE = 16  # large frames per pass of the decoder; activations of a whole batch would take tens of GB


def load_autoencoder(folder: Path, device: torch.device) -> AutoencoderKL:
    """Load the frozen autoencoder of a folder that `save_pretrained` wrote, in float32.

    Raises AssetError if the folder is not whole.
    """
    autoencoder: AutoencoderKL = load_network(AutoencoderKL, folder, torch_dtype=torch.float32)
    return freeze(autoencoder.to(device))


def pixels_per_latent(config: Mapping[str, Any]) -> int:
    """Return the factor by which the autoencoder of this configuration shrinks each side of a frame."""
    return 2 ** (len(config["block_out_channels"]) - 1)


@torch.no_grad()
def encode(autoencoder: AutoencoderKL, video: Video) -> Float[Tensor, "B F c h w"]:
    """Return the mode of the posterior times the scaling factor.

    The released code samples the posterior; its mode gives a clip the same latents each time. Latents have the dtype of
    the video, whatever the autoencoder's is.
    """
    posterior = autoencoder.encode(video.flatten(0, 1).to(autoencoder.dtype)).latent_dist
    latents: Tensor = posterior.mode().to(video.dtype) * autoencoder.config.scaling_factor
    return latents.view(*video.shape[:2], *latents.shape[1:])


@torch.no_grad()
def decode(autoencoder: AutoencoderKL, latents: Float[Tensor, "B F c h w"]) -> Video:
    """Decode latents to pixels in [-1, 1]."""
    flat = (latents.flatten(0, 1) / autoencoder.config.scaling_factor).to(autoencoder.dtype)
    parts = flat.split(LARGE_AT_ONCE if flat[0, 0].numel() >= LARGE else len(flat))
    frames = torch.cat([autoencoder.decode(part).sample for part in parts]).to(latents.dtype)
    return frames.clamp(-1, 1).view(*latents.shape[:2], *frames.shape[1:])
