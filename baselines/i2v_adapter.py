"""I2V-Adapter (arXiv 2312.16693) on I2VGen-XL: every frame also attends to the known frames, which stay free of noise.

Each spatial self-attention becomes out_i = Attn(Q_i, K_i, V_i) W_O + Attn(X_i W_Q', K_1, V_1) W_O' (eq. 4). W_Q' starts
as W_Q and W_O' as zero, and only these two are trained. The Content-Adapter and the Frame Similarity Prior of the paper
are left out (see README.md).

`variant: released` selects the network that the authors of RDTF call I2V-Adapter: copies of the spatial transformers,
whose queries are trained.
"""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from diffusers.models.unets.unet_3d_blocks import CrossAttnUpBlock3D
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from rdtf_bench.baselines.i2vgen_xl.counting import adapted_counts, base_on_meta
from rdtf_bench.baselines.i2vgen_xl.counting import (
    denoiser_inputs as denoiser_inputs,
)  # the same for all three baselines
from rdtf_bench.baselines.i2vgen_xl.parts import BaseOptions, Parts, load_parts
from rdtf_bench.baselines.i2vgen_xl.released import release
from rdtf_bench.baselines.i2vgen_xl.tuning import Known, TunedI2VGenXL
from rdtf_bench.baselines.i2vgen_xl.unet import AdapterI2VGenXLUNet, Context, become, split_heads
from rdtf_bench.baselines.i2vgen_xl.unet import (
    recompute_activations as recompute_activations,
)
from rdtf_bench.core.method import Configs
from rdtf_bench.diffusion.freezing import freeze

VERSION = 2
LEARNING_RATE = 1e-4  # from the paper
ASSETS = ("autoencoder", "text_encoder", "image_encoder", "base")
MORE_ASSETS = {("variant", "released"): ("t5_encoder",)}


@dataclass(frozen=True, kw_only=True)
class Config(BaseOptions):
    """Options of the base; the method has none of its own. The paper trains with a learning rate of 1e-4."""


class CrossFrameAttention(nn.Module):
    """Attention processor that adds attention from all frames to the known frames to diffusers' self-attention."""

    def __init__(self, attn: Attention, context: Context) -> None:
        super().__init__()
        width = attn.to_q.in_features
        self.own = AttnProcessor2_0()
        self.context = context
        self.to_q = nn.Linear(width, attn.to_q.out_features, bias=False, device=attn.to_q.weight.device)
        self.to_out = nn.Linear(attn.to_q.out_features, width, device=attn.to_q.weight.device)
        self.reset(attn)

    @torch.no_grad()
    def reset(self, attn: Attention) -> None:
        self.to_q.weight.copy_(attn.to_q.weight)
        nn.init.zeros_(self.to_out.weight)
        nn.init.zeros_(self.to_out.bias)

    def forward(
        self,
        attn: Attention,
        hidden_states: Float[Tensor, "BF L D"],
        encoder_hidden_states: None = None,
        attention_mask: None = None,
    ) -> Float[Tensor, "BF L D"]:
        own: Tensor = self.own(attn, hidden_states, encoder_hidden_states, attention_mask)
        return own + self.to_out(self._from_known(attn, hidden_states))

    def _from_known(self, attn: Attention, hidden_states: Float[Tensor, "BF L D"]) -> Float[Tensor, "BF L D"]:
        """Attend from all frames of a clip to its known frames, whose keys and values are computed once."""
        clips = hidden_states.reshape(-1, self.context.num_frames, *hidden_states.shape[1:])
        known = self.context.known
        given = clips[torch.arange(len(clips), device=clips.device)[:, None], known.places].flatten(1, 2)
        query, key, value = (
            split_heads(states, attn.heads)
            for states in (self.to_q(clips.flatten(1, 2)), attn.to_k(given), attn.to_v(given))
        )
        seen = None if known.padding is None else _seen(known.padding, num_tokens=hidden_states.shape[1])
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=seen)
        return attended.transpose(1, 2).flatten(2).reshape(hidden_states.shape)


def _seen(padding: Bool[Tensor, "B K"], *, num_tokens: int) -> Bool[Tensor, "B 1 1 KL"]:
    return ~padding.repeat_interleave(num_tokens, dim=1)[:, None, None]


def add_adapter(unet: AdapterI2VGenXLUNet) -> None:
    """Add the adapter to all spatial self-attentions (16 at full size) and to no temporal one."""
    for name, module in unet.named_modules():
        if _is_place(name):
            module.set_processor(CrossFrameAttention(module, unet.context))


def _is_place(name: str) -> bool:
    return ".attentions." in name and name.endswith(".attn1")


class I2VAdapter(TunedI2VGenXL):
    """I2V-Adapter of the paper: a frozen I2VGen-XL whose frames also attend to the known frames."""

    NAME = "i2v_adapter"
    KNOWN_STAY_CLEAN = True

    def __init__(self, parts: Parts, config: Config) -> None:
        super().__init__(parts, config, version=VERSION)
        add_adapter(parts.unet)

    def reset(self, seed: int) -> None:  # noqa: ARG002 (no weight is random)
        for name, module in self.parts.unet.named_modules():
            if _is_place(name):
                module.processor.reset(module)

    def counted(self, known: Known, task: str) -> Known:  # noqa: ARG002
        """Count the unknown frames; the known frames enter free of noise, so they leave nothing to learn."""
        return 1 - known


class UpBlockWithCopies(CrossAttnUpBlock3D):  # type: ignore[misc]
    """An up block of the released I2V-Adapter, with a copy of each spatial transformer.

    The copy runs on the output of the original for the same frame, and its output, including its residual, is added.
    """

    attentions_cp: nn.ModuleList

    def forward(
        self,
        hidden_states: Float[Tensor, "BF C H W"],
        res_hidden_states_tuple: tuple[Tensor, ...],
        temb: Float[Tensor, "BF M"],
        encoder_hidden_states: Float[Tensor, "BF T E"],
        upsample_size: Any = None,
        attention_mask: None = None,  # noqa: ARG002 (diffusers ignores it as well)
        num_frames: int = 1,
        cross_attention_kwargs: None = None,  # noqa: ARG002
    ) -> Float[Tensor, "BF C_out H_out W_out"]:
        layers = zip(
            self.resnets, self.temp_convs, self.attentions, self.attentions_cp, self.temp_attentions, strict=True
        )
        skips = res_hidden_states_tuple[::-1]
        for skip, (resnet, temp_conv, attention, copied, temp_attention) in zip(skips, layers, strict=True):
            hidden_states = resnet(torch.cat([hidden_states, skip], dim=1), temb)
            hidden_states = temp_conv(hidden_states, num_frames=num_frames)
            hidden_states = attention(hidden_states, encoder_hidden_states, return_dict=False)[0]
            hidden_states = hidden_states + copied(hidden_states, encoder_hidden_states, return_dict=False)[0]
            hidden_states = temp_attention(hidden_states, num_frames=num_frames, return_dict=False)[0]
        for upsampler in self.upsamplers or ():
            hidden_states = upsampler(hidden_states, upsample_size)
        return hidden_states


def add_copies(unet: AdapterI2VGenXLUNet) -> None:
    """Add the released adapter to all up blocks with spatial transformers (9 copies at full size).

    The copies double the signal, so the adapted base differs from the base before training. The queries of both
    attentions of each copy are trained.
    """
    for block in unet.up_blocks:
        if hasattr(block, "attentions"):
            become(block, UpBlockWithCopies)
            # copied processors keep reading the context of the network itself
            block.attentions_cp = copy.deepcopy(block.attentions, memo={id(unet.context): unet.context})
    for query, _ in _queries(unet):
        query.float().requires_grad_(True)  # also on a base in bfloat16, where small updates would round away


def _queries(unet: AdapterI2VGenXLUNet) -> Iterator[tuple[nn.Linear, nn.Linear]]:
    """Yield each trained query layer with the layer that it is a copy of."""
    modules = dict(unet.named_modules())
    for name, module in modules.items():
        if ".attentions_cp." in name and name.endswith(".to_q"):
            yield module, modules[name.replace(".attentions_cp.", ".attentions.")]


def released_unet(**config: Any) -> AdapterI2VGenXLUNet:
    """Build the authors' I2V-Adapter with random weights from the config of an `I2VGenXLUNet`.

    Its forward takes the keyword arguments of that class. Its parameters have the names of the authors' checkpoints.
    `timestep` and `fps` are tensors with one element, or with one element per clip.
    """
    unet = freeze(AdapterI2VGenXLUNet(**config))
    release(unet)
    add_copies(unet)
    return unet


class ReleasedI2VAdapter(TunedI2VGenXL):
    """The I2V-Adapter of the authors of RDTF. Their repository does not show how it was trained.

    DEVIATION: no layer of it attends to the known frames, so they are noisy like the others, and its loss counts the
    same frames as that of SimDA.
    """

    NAME = "i2v_adapter"

    def __init__(self, parts: Parts, config: Config) -> None:
        super().__init__(parts, config, version=VERSION)
        add_copies(parts.unet)

    @torch.no_grad()
    def reset(self, seed: int) -> None:  # noqa: ARG002 (no weight is random)
        for query, original in _queries(self.parts.unet):
            query.weight.copy_(original.weight)


def parameter_counts(config: Config, configs: Configs) -> dict[str, int]:
    """Return the same counts as `parameter_counts`, from the configurations of the frozen networks alone."""
    return adapted_counts(denoiser_on_meta(config, configs), config, configs)


def denoiser_on_meta(config: Config, configs: Configs) -> AdapterI2VGenXLUNet:
    unet = base_on_meta(config, configs)
    add = add_copies if config.variant == "released" else add_adapter
    add(unet)
    return unet


def build(config: Config, *, assets: Mapping[str, Path], device: torch.device) -> TunedI2VGenXL:
    parts = load_parts(assets, config, device=device)
    return ReleasedI2VAdapter(parts, config) if config.variant == "released" else I2VAdapter(parts, config)
