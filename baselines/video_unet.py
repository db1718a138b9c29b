"""Video U-Nets all of whose weights are trained: from scratch, or from those of the base (full fine-tuning).

VSD2M (arXiv 2412.08259) claims that its STI layer improves other video diffusion models. Two networks serve to measure
that: I2VGen-XL, and the plain 3-D U-Net of ModelScope (diffusers' `UNet3DConditionModel`), which has neither image
encoders nor a frame rate. From scratch, nothing is pretrained, and the STI layers are trained, too. README.md says what
is open.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import torch
from diffusers import DDIMScheduler, UNet3DConditionModel
from diffusers.models.modeling_utils import ModelMixin
from diffusers.models.unets.unet_3d_condition import UNet3DConditionOutput
from jaxtyping import Float
from torch import Tensor, nn

from rdtf_bench.baselines.i2vgen_xl.counting import count, denoiser_counts, zero_inputs
from rdtf_bench.baselines.i2vgen_xl.encoders import Conditioning, check_widths, load_encoders
from rdtf_bench.baselines.i2vgen_xl.examples import Examples
from rdtf_bench.baselines.i2vgen_xl.parts import BaseOptions, Parts, load_parts
from rdtf_bench.baselines.i2vgen_xl.released import NUM_FRAMES, replace_temporal_convs
from rdtf_bench.baselines.i2vgen_xl.tuning import ConditionedUNet, Known
from rdtf_bench.baselines.i2vgen_xl.unet import AdapterI2VGenXLUNet
from rdtf_bench.baselines.i2vgen_xl.unet import (
    recompute_activations as recompute_activations,
)
from rdtf_bench.core.errors import ProtocolError
from rdtf_bench.core.method import Configs, Training, TrainingClips
from rdtf_bench.core.seeds import seeded
from rdtf_bench.models import frozen

VERSION = 1
ASSETS = ("autoencoder", "text_encoder", "image_encoder")
MORE_ASSETS = {("start", "base"): ("base",)}

LATENT_CHANNELS = 4  # I2VGenXLUNet works with no other number
SIZES = ("block_out_channels", "layers_per_block", "attention_head_dim", "norm_num_groups")
"""Options that decide the size of I2VGen-XL."""


@dataclass(frozen=True, kw_only=True)
class Config(Conditioning):
    """Options of the network. The defaults of its size are those of I2VGen-XL, which ModelScope's U-Net shares."""

    network: Literal["i2vgen_xl", "unet_3d"] = "i2vgen_xl"
    # "sti" puts an STI layer behind every resnet in the place of the temporal convolution, as the authors of RDTF do.
    temporal_layer: Literal["temporal_conv", "sti"] = "temporal_conv"
    # "base" starts from the pretrained I2VGen-XL that the adapters tune; its size must be the one below.
    start: Literal["random", "base"] = "random"
    block_out_channels: tuple[int, ...] = (320, 640, 1280, 1280)
    layers_per_block: int = 2
    attention_head_dim: int = 64
    norm_num_groups: int = 32
    sti_heads: int = 8

    def __post_init__(self) -> None:
        super().__post_init__()
        widths, groups = self.block_out_channels, self.norm_num_groups
        if any(width % groups for width in widths):
            raise ProtocolError(
                f"options of video_unet: block_out_channels {list(widths)} must be multiples of norm_num_groups "
                f"{groups}"
            )
        if self.start == "base" and (self.network, self.temporal_layer) != ("i2vgen_xl", "temporal_conv"):
            raise ProtocolError(
                "options of video_unet: start: base needs network: i2vgen_xl and temporal_layer: temporal_conv, which "
                "the base has"
            )
        if self.attention_head_dim > min(widths):
            raise ProtocolError(
                f"options of video_unet: attention_head_dim {self.attention_head_dim} is wider than the smallest of "
                f"block_out_channels {list(widths)}"
            )


class PlainUNet(UNet3DConditionModel):  # type: ignore[misc]
    """The plain 3-D U-Net with the conditions of I2VGen-XL, which has encoders of its own for the image.

    Here the image latents are concatenated to the noisy latents as they are, and the image embedding is one more token
    behind those of the caption. The network is not told the frame rate, which is the same for all clips.
    """

    def forward(
        self,
        sample: Float[Tensor, "B C F H W"],
        timestep: Tensor | float | int,
        fps: Tensor,  # noqa: ARG002
        image_latents: Float[Tensor, "B C F H W"],
        image_embeddings: Float[Tensor, "B E"],
        encoder_hidden_states: Float[Tensor, "B L E"],
        known: Known,  # noqa: ARG002 (image_latents mark the known frames)
    ) -> UNet3DConditionOutput:
        tokens = torch.cat([encoder_hidden_states, image_embeddings[:, None]], dim=1)
        return super().forward(torch.cat([sample, image_latents], dim=1), timestep, tokens)


class VideoUNet(ConditionedUNet):
    """A video U-Net without frozen weights."""

    NAME = "video_unet"
    config: Config

    def __init__(self, parts: Parts, config: Config) -> None:
        super().__init__(parts, config, version=VERSION)
        self._pretrained: dict[str, Tensor] | None = None
        if config.start == "base":
            self._pretrained = {name: weight.cpu().clone() for name, weight in parts.unet.state_dict().items()}
            self.base_size = count(parts.unet.parameters())
        else:
            self.identity["config"].pop("start")  # notes that were written before this option was there lack it

    def examples(self, clips: TrainingClips, training: Training) -> Examples:
        if self.config.temporal_layer == "sti" and training.num_frames != NUM_FRAMES:
            raise ProtocolError(
                f"method video_unet: the clips have {training.num_frames} frames, but STI layers need {NUM_FRAMES}. "
                f"Use {NUM_FRAMES} frames, or set temporal_layer to temporal_conv."
            )
        return super().examples(clips, training)

    def reset(self, seed: int) -> None:
        if self._pretrained is not None:
            self.network.load_state_dict(self._pretrained)
            return
        text_dim = self.parts.unet.config.cross_attention_dim
        self.network.load_state_dict(new_network(self.config, text_dim, seed=seed).state_dict())


def new_network(config: Config, text_dim: int, *, seed: int) -> ModelMixin:
    """Return a network as the classes of diffusers initialise it.

    The random seed gives all layers but the temporal ones the same weights with STI as without.
    """
    crossed = len(config.block_out_channels) - 1
    size: dict[str, Any] = {
        "block_out_channels": config.block_out_channels,
        "down_block_types": ("CrossAttnDownBlock3D",) * crossed + ("DownBlock3D",),
        "up_block_types": ("UpBlock3D",) + ("CrossAttnUpBlock3D",) * crossed,
        "layers_per_block": config.layers_per_block,
        "norm_num_groups": config.norm_num_groups,
        "attention_head_dim": config.attention_head_dim,
        "cross_attention_dim": text_dim,
        "out_channels": LATENT_CHANNELS,
    }
    with seeded(seed, "video_unet", config.network):
        if config.network == "i2vgen_xl":
            network = AdapterI2VGenXLUNet(in_channels=LATENT_CHANNELS, **size)
        else:
            network = PlainUNet(in_channels=2 * LATENT_CHANNELS, **size)
        if config.temporal_layer == "sti":
            replace_temporal_convs(network, num_heads=config.sti_heads)
    # eval mode during training too: the temporal convolutions have dropout, which draws from the global generator
    return network.eval()


def new_scheduler() -> DDIMScheduler:
    """Return the noise schedule of the I2VGen-XL release: v-prediction with zero terminal SNR."""
    return DDIMScheduler(
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        rescale_betas_zero_snr=True,
        steps_offset=1,
        clip_sample=False,
    )


def parameter_counts(config: Config, configs: Configs) -> dict[str, int]:
    """Return the same counts as `parameter_counts`, from the configurations of the frozen networks alone."""
    network = denoiser_on_meta(config, configs)
    base_count = count(network.parameters()) if config.start == "base" else 0
    return denoiser_counts(network, base_count) | frozen.parameter_counts(configs, ASSETS)


def denoiser_on_meta(config: Config, configs: Configs) -> nn.Module:
    with torch.device("meta"):
        if config.start == "base":
            _require_size(config, AdapterI2VGenXLUNet.from_config(dict(configs["base"])).config, "the base")
        return new_network(config, configs["text_encoder"]["hidden_size"], seed=0)


def denoiser_inputs(
    config: Config, configs: Configs, *, batch_size: int, num_frames: int, size_px: int
) -> dict[str, Tensor]:
    """Return the keyword arguments of one forward pass, for timing."""
    return zero_inputs(
        config,
        text_dim=configs["text_encoder"]["hidden_size"],
        latent_channels=LATENT_CHANNELS,
        autoencoder=configs["autoencoder"],
        batch_size=batch_size,
        num_frames=num_frames,
        size_px=size_px,
    )


def build(config: Config, *, assets: Mapping[str, Path], device: torch.device) -> VideoUNet:
    if config.start == "base":
        return VideoUNet(_pretrained_parts(config, assets, device), config)
    encoders = load_encoders(assets, config, device=device)
    text_dim = encoders.text_encoder.config.hidden_size
    check_widths(encoders, assets, text_dim, f"a network for the captions of {assets['text_encoder']}")
    network = new_network(config, text_dim, seed=0).to(device)
    return VideoUNet(Parts(**vars(encoders), unet=network, scheduler=new_scheduler()), config)


def _pretrained_parts(config: Config, assets: Mapping[str, Path], device: torch.device) -> Parts:
    """Load the base to train all of its weights."""
    conditioning = {field.name: getattr(config, field.name) for field in fields(Conditioning)}
    parts = load_parts(assets, BaseOptions(**conditioning), device=device)
    _require_size(config, parts.unet.config, f"the base in {assets['base'] / 'unet'}")
    parts.unet.requires_grad_(True)
    return parts


def _require_size(config: Config, base: Mapping[str, Any], named: str) -> None:
    """Raise ProtocolError if the base has another size than the options say."""
    for name in SIZES:
        wanted, has = getattr(config, name), base[name]
        if wanted != (tuple(has) if isinstance(has, list) else has):
            raise ProtocolError(
                f"options of video_unet: {name} is {wanted}, but {named} has {has}. Give the size of the base, or "
                "start: random."
            )
