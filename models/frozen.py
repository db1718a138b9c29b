"""Parameter counts of the frozen networks around a denoiser, from their configurations alone."""

from collections.abc import Sequence
from typing import Any

import torch
from diffusers import AutoencoderKL
from torch import nn
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    T5Config,
    T5EncoderModel,
)

from rdtf_bench.core.method import Configs


def count(module: nn.Module) -> int:
    """Return the number of parameters of a network."""
    return sum(parameter.numel() for parameter in module.parameters())


def parameter_counts(configs: Configs, roles: Sequence[str]) -> dict[str, int]:
    """Return the number of parameters of each network, counted on the meta device without allocating memory."""
    with torch.device("meta"):
        return {role: count(_build(role, dict(configs[role]))) for role in roles}


def _build(role: str, config: dict[str, Any]) -> nn.Module:
    network: nn.Module
    match role:
        case "autoencoder":
            network = AutoencoderKL.from_config(config)
        case "text_encoder":
            network = CLIPTextModel(CLIPTextConfig(**config))
        case "t5_encoder":
            network = T5EncoderModel(T5Config(**config))
        case "image_encoder":
            network = CLIPVisionModelWithProjection(CLIPVisionConfig(**config))
        case _:
            raise ValueError(f"no network is known for the role {role!r}")
    return network
