"""The frozen networks around a denoiser, built on the meta device from their configurations to be counted."""

from collections.abc import Mapping, Sequence
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

Configs = Mapping[str, Mapping[str, Any]]
"""By asset role: what stands in the network's config.json."""


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def parameter_counts(configs: Configs, roles: Sequence[str]) -> dict[str, int]:
    """Parameters of each of these networks; nothing is allocated."""
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
