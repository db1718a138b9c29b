"""Parameter counts and timing inputs of an adapted I2VGen-XL, from configurations alone."""

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from rdtf_bench.baselines.i2vgen_xl.encoders import Conditioning
from rdtf_bench.baselines.i2vgen_xl.parts import BaseOptions
from rdtf_bench.baselines.i2vgen_xl.released import release
from rdtf_bench.baselines.i2vgen_xl.unet import AdapterI2VGenXLUNet
from rdtf_bench.core.method import Configs
from rdtf_bench.diffusion.latents import pixels_per_latent
from rdtf_bench.models import frozen


def base_on_meta(options: BaseOptions, configs: Configs) -> AdapterI2VGenXLUNet:
    """Build the frozen base on the meta device, ready for an adapter."""
    with torch.device("meta"):
        unet = AdapterI2VGenXLUNet.from_config(dict(configs["base"])).requires_grad_(False)
    if options.variant == "released":
        release(unet, t5_dim=configs["t5_encoder"]["d_model"], text_dim=unet.config.cross_attention_dim)
    if options.precision == "bf16":
        nn.Module.to(unet, torch.bfloat16)  # diffusers' own `to` warns of what it would keep in float32: nothing
    return unet


def zero_inputs(
    conditioning: Conditioning,
    *,
    text_dim: int,
    latent_channels: int,
    autoencoder: Mapping[str, Any],
    batch_size: int,
    num_frames: int,
    size_px: int,
) -> dict[str, Tensor]:
    """Return zero-valued keyword arguments for a forward pass of the denoiser; the first frame is known.

    autoencoder: its configuration.
    """
    known = torch.zeros(batch_size, num_frames)
    known[:, 0] = 1
    side = size_px // pixels_per_latent(autoencoder)
    latents = torch.zeros(batch_size, latent_channels, num_frames, side, side)
    return {
        "sample": latents,
        "timestep": torch.zeros(batch_size, dtype=torch.long),
        "fps": torch.full((batch_size,), conditioning.fps),
        "image_latents": latents,
        "image_embeddings": torch.zeros(batch_size, text_dim),
        "encoder_hidden_states": torch.zeros(batch_size, conditioning.text_tokens, text_dim),
        "known": known,
    }


def denoiser_inputs(
    config: BaseOptions, configs: Configs, *, batch_size: int, num_frames: int, size_px: int
) -> dict[str, Tensor]:
    """Return `zero_inputs` for the base and the autoencoder of these configurations."""
    unet = base_on_meta(config, configs).config
    return zero_inputs(
        config,
        text_dim=unet.cross_attention_dim,
        latent_channels=unet.in_channels,
        autoencoder=configs["autoencoder"],
        batch_size=batch_size,
        num_frames=num_frames,
        size_px=size_px,
    )


def denoiser_counts(network: nn.Module, base_count: int) -> dict[str, int]:
    """Return the counts `base`, `trainable` and `total`; `total` includes frozen parameters that an adapter adds."""
    trainable = count(parameter for parameter in network.parameters() if parameter.requires_grad)
    return {"base": base_count, "trainable": trainable, "total": count(network.parameters())}


def encoder_counts(options: BaseOptions, configs: Configs) -> dict[str, int]:
    """Return the parameter counts of the frozen networks around the denoiser."""
    second_text = ("t5_encoder",) if options.variant == "released" else ()
    return frozen.parameter_counts(configs, ("text_encoder", "image_encoder", "autoencoder", *second_text))


def adapted_counts(network: nn.Module, options: BaseOptions, configs: Configs) -> dict[str, int]:
    """Count an adapted base on the meta device, and the frozen networks around it."""
    base_count = base_on_meta(options, configs).num_parameters()
    return denoiser_counts(network, base_count) | encoder_counts(options, configs)


def count(parameters: Iterable[nn.Parameter]) -> int:
    """Return the number of values in these parameters."""
    return sum(parameter.numel() for parameter in parameters)
