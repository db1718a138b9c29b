"""SimDA (arXiv 2308.09710) on I2VGen-XL: small temporal and spatial bottleneck layers, which alone are trained.

A temporal adapter is a 1x1x1 convolution to half the width, a depthwise (3, 1, 1) convolution, a 1x1x1 convolution back
and a residual. A spatial adapter is a bottleneck of a quarter of the width with GELU; one follows the self-attention,
and one runs parallel to the feed-forward layer. The last layer of each adapter starts at zero, so the base is unchanged
before training. Latent-shift attention has no parameters; it is an option, because it changes the frozen base before
training and the RDTF paper does not name it.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.attention_processor import Attention
from diffusers.models.resnet import TemporalConvLayer
from jaxtyping import Float
from torch import Tensor, nn

from rdtf_bench.baselines.i2vgen_xl.counting import adapted_counts, base_on_meta
from rdtf_bench.baselines.i2vgen_xl.counting import (
    denoiser_inputs as denoiser_inputs,
)  # the same for all three baselines
from rdtf_bench.baselines.i2vgen_xl.parts import BaseOptions, Parts, load_parts
from rdtf_bench.baselines.i2vgen_xl.tuning import TunedI2VGenXL, draw_kaiming
from rdtf_bench.baselines.i2vgen_xl.unet import AdapterI2VGenXLUNet, Context, become, split_heads
from rdtf_bench.baselines.i2vgen_xl.unet import (
    recompute_activations as recompute_activations,
)
from rdtf_bench.core.method import Configs
from rdtf_bench.core.seeds import generator_for
from rdtf_bench.models.rdtf.sti import STI

VERSION = 2
LEARNING_RATE = 5e-5  # from the authors' code
ASSETS = ("autoencoder", "text_encoder", "image_encoder", "base")
MORE_ASSETS = {("variant", "released"): ("t5_encoder",)}

SHIFTS = ((4, 3, 2, 1), (3, 2, 1, 0), (2, 1, 0, 0), (1, 2, 3, 4))
"""How many frames earlier a token is taken from, by row and column of a 4x4 pattern (the authors' code)."""


@dataclass(frozen=True, kw_only=True)
class Config(BaseOptions):
    """Ratios and places of the authors' code (ChenHsing/SimDA)."""

    # "attention" puts temporal adapters before each spatial transformer, "all" after each resnet.
    places: Literal["attention", "all"] = "attention"
    temporal_ratio: float = 0.5
    spatial_ratio: float = 0.25
    # True lets the spatial self-attention also see tokens of earlier frames (latent-shift attention).
    latent_shift: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (0 < self.temporal_ratio <= 1 and 0 < self.spatial_ratio <= 1):
            raise ValueError("temporal_ratio and spatial_ratio must be above 0 and at most 1")


class TemporalAdapter(nn.Module):
    """A residual bottleneck with a depthwise convolution over time."""

    def __init__(self, width: int, ratio: float) -> None:
        super().__init__()
        inner = int(width * ratio)
        self.down = nn.Conv3d(width, inner, 1)
        self.over_time = nn.Conv3d(inner, inner, (3, 1, 1), padding=(1, 0, 0), groups=inner)
        self.up = nn.Conv3d(inner, width, 1)

    def forward(self, hidden_states: Float[Tensor, "BF C H W"], num_frames: int) -> Float[Tensor, "BF C H W"]:
        clips = hidden_states.reshape(-1, num_frames, *hidden_states.shape[1:]).transpose(1, 2)
        added: Tensor = self.up(self.over_time(self.down(clips)))
        return hidden_states + added.transpose(1, 2).flatten(0, 1)


class SpatialAdapter(nn.Module):
    """A bottleneck with GELU; the caller adds its output."""

    def __init__(self, width: int, ratio: float) -> None:
        super().__init__()
        self.down = nn.Linear(width, int(width * ratio))
        self.up = nn.Linear(int(width * ratio), width)

    def forward(self, hidden_states: Float[Tensor, "B L D"]) -> Float[Tensor, "B L D"]:
        added: Tensor = self.up(nn.functional.gelu(self.down(hidden_states)))
        return added


class ShiftedAttention:
    """Attention processor whose keys and values are the frame's own tokens and shifted ones (latent-shift attention).

    The order is that of the paper, [z, shifted z]. DEVIATION: the authors' code concatenates the shifted tokens of the
    previous and of the current frame, and no token stays where it is.
    """

    def __init__(self, context: Context) -> None:
        self.context = context

    def __call__(
        self,
        attn: Attention,
        hidden_states: Float[Tensor, "BF L D"],
        encoder_hidden_states: None = None,  # noqa: ARG002 (self-attention)
        attention_mask: None = None,  # noqa: ARG002
    ) -> Float[Tensor, "BF L D"]:
        given = torch.cat([hidden_states, self._shifted(hidden_states)], dim=1)
        query, key, value = (
            split_heads(states, attn.heads) for states in (attn.to_q(hidden_states), attn.to_k(given), attn.to_v(given))
        )
        attended = nn.functional.scaled_dot_product_attention(query, key, value)
        return attn.to_out[1](attn.to_out[0](attended.transpose(1, 2).flatten(2)))

    def _shifted(self, hidden_states: Float[Tensor, "BF L D"]) -> Float[Tensor, "BF L D"]:
        height, width = self.context.first_known_latents.shape[-2:]
        shrink = math.isqrt(height * width // hidden_states.shape[1])
        return shift_over_time(hidden_states, self.context.num_frames, height // shrink, width // shrink)


def shift_over_time(
    states: Float[Tensor, "BF L D"], num_frames: int, height: int, width: int
) -> Float[Tensor, "BF L D"]:
    """Take each token from as many frames earlier as `SHIFTS` says for its place; at the start from its own frame."""
    clips = states.reshape(-1, num_frames, height, width, states.shape[-1])
    rows, columns = torch.arange(height) % len(SHIFTS), torch.arange(width) % len(SHIFTS)
    shifts = torch.tensor(SHIFTS)[rows[:, None], columns]
    frames = torch.arange(num_frames)[:, None, None].expand(-1, height, width)
    source = torch.where(frames >= shifts, frames - shifts, frames).to(states.device)
    return clips.gather(1, source[None, ..., None].expand_as(clips)).reshape(states.shape)


class AdaptedTemporalConv(TemporalConvLayer):  # type: ignore[misc]
    """A temporal convolution of the base, then the temporal adapter."""

    adapter: TemporalAdapter

    def forward(self, hidden_states: Float[Tensor, "BF C H W"], num_frames: int = 1) -> Float[Tensor, "BF C H W"]:
        return self.adapter(super().forward(hidden_states, num_frames=num_frames), num_frames)


class AdaptedSTI(STI):
    """The STI layer that the released base has in place of a temporal convolution, then the temporal adapter."""

    adapter: TemporalAdapter

    def forward(self, hidden_states: Float[Tensor, "BF C H W"], num_frames: int) -> Float[Tensor, "BF C H W"]:
        return self.adapter(super().forward(hidden_states, num_frames), num_frames)


class AdaptedTransformerBlock(BasicTransformerBlock):  # type: ignore[misc]
    """A spatial block of the base with one adapter behind its self-attention and one parallel to its feed-forward."""

    attention_adapter: SpatialAdapter
    feed_forward_adapter: SpatialAdapter

    def forward(
        self,
        hidden_states: Float[Tensor, "BF L D"],
        encoder_hidden_states: Float[Tensor, "BF T E"],
        **unused: Any,  # diffusers passes arguments that I2VGen-XL leaves at None
    ) -> Float[Tensor, "BF L D"]:
        assert all(argument is None for argument in unused.values())
        attended = self.attn1(self.norm1(hidden_states))
        hidden_states = attended + self.attention_adapter(attended) + hidden_states
        hidden_states = self.attn2(self.norm2(hidden_states), encoder_hidden_states) + hidden_states
        # as in the authors' code, the adapter gets the state before the norm
        added = self.feed_forward_adapter(hidden_states)
        return self.ff(self.norm3(hidden_states)) + added + hidden_states


def add_adapter(unet: AdapterI2VGenXLUNet, config: Config) -> None:
    """Add SimDA's adapters to every spatial transformer block of the network, in place."""
    for name, block in list(unet.named_modules()):
        if ".attentions." in name and isinstance(block, BasicTransformerBlock):
            become(block, AdaptedTransformerBlock)
            device = block.norm1.weight.device
            block.attention_adapter = SpatialAdapter(block.dim, config.spatial_ratio).to(device)
            block.feed_forward_adapter = SpatialAdapter(block.dim, config.spatial_ratio).to(device)
            if config.latent_shift:
                block.attn1.set_processor(ShiftedAttention(unet.context))
    for layer, width in _temporal_places(unet, config):
        become(layer, AdaptedSTI if isinstance(layer, STI) else AdaptedTemporalConv)
        layer.adapter = TemporalAdapter(width, config.temporal_ratio).to(unet.device)


def _temporal_places(unet: AdapterI2VGenXLUNet, config: Config) -> Iterator[tuple[nn.Module, int]]:
    """Yield the temporal layers to adapt: those before a spatial transformer (16 at full size), or all 22."""
    for block in (*unet.down_blocks, unet.mid_block, *unet.up_blocks):
        # the mid block has one resnet more than it has transformers
        count = len(block.resnets) if config.places == "all" else len(getattr(block, "attentions", ()))
        yield from ((block.temp_convs[place], block.resnets[place].out_channels) for place in range(count))


def _is_adapter(module: nn.Module) -> bool:
    return isinstance(module, TemporalAdapter | SpatialAdapter)


class SimDA(TunedI2VGenXL):
    """SimDA: a frozen I2VGen-XL with temporal and spatial adapters."""

    NAME = "simda"

    def __init__(self, parts: Parts, config: Config) -> None:
        super().__init__(parts, config, version=VERSION)
        add_adapter(parts.unet, config)
        self.reset(0)

    def reset(self, seed: int) -> None:
        """Initialise with Kaiming uniform, and the last layer of each adapter with zeros, as in the authors' code."""
        adapters = [(name, module) for name, module in self.parts.unet.named_modules() if _is_adapter(module)]
        for name, adapter in adapters:
            generator = generator_for(seed, "init", name)
            for last, layer in ((layer is adapter.up, layer) for layer in adapter.children()):
                nn.init.zeros_(layer.bias)
                if last:
                    nn.init.zeros_(layer.weight)
                else:
                    draw_kaiming(layer.weight, generator)


def parameter_counts(config: Config, configs: Configs) -> dict[str, int]:
    """Return the same counts as `parameter_counts`, from the configurations of the frozen networks alone."""
    return adapted_counts(denoiser_on_meta(config, configs), config, configs)


def denoiser_on_meta(config: Config, configs: Configs) -> AdapterI2VGenXLUNet:
    unet = base_on_meta(config, configs)
    add_adapter(unet, config)
    return unet


def build(config: Config, *, assets: Mapping[str, Path], device: torch.device) -> SimDA:
    return SimDA(load_parts(assets, config, device=device), config)
