"""How many parameters an adapted I2VGen-XL has, from configurations alone."""

from collections.abc import Iterable

import torch
from torch import nn

from rdtf_bench.baselines.i2vgen_xl.parts import Conditioning
from rdtf_bench.baselines.i2vgen_xl.released import release
from rdtf_bench.baselines.i2vgen_xl.unet import AdapterI2VGenXLUNet
from rdtf_bench.models import frozen
from rdtf_bench.models.frozen import Configs


def base_on_meta(conditioning: Conditioning, configs: Configs) -> AdapterI2VGenXLUNet:
    """The frozen base on the meta device, ready for an adapter."""
    with torch.device("meta"):
        unet = AdapterI2VGenXLUNet.from_config(dict(configs["base"])).requires_grad_(False)
    if conditioning.variant == "released":
        release(unet, t5_dim=configs["t5_encoder"]["d_model"], text_dim=unet.config.cross_attention_dim)
    return unet


def denoiser_sizes(network: nn.Module, base_size: int) -> dict[str, int]:
    """`base`, `trainable`, and `total`, which also has what an adapter adds and does not train."""
    trainable = count(parameter for parameter in network.parameters() if parameter.requires_grad)
    return {"base": base_size, "trainable": trainable, "total": count(network.parameters())}


def encoder_sizes(conditioning: Conditioning, configs: Configs) -> dict[str, int]:
    """The frozen networks around the denoiser."""
    second_text = ("t5_encoder",) if conditioning.variant == "released" else ()
    return frozen.sizes(configs, ("text_encoder", "image_encoder", "autoencoder", *second_text))


def count(parameters: Iterable[nn.Parameter]) -> int:
    return sum(parameter.numel() for parameter in parameters)
