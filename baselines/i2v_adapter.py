"""I2V-Adapter (arXiv 2312.16693) on I2VGen-XL: every frame also attends to the known frames, which stay free of noise.

Beside each spatial self-attention: out_i = Attn(Q_i, K_i, V_i) W_O + Attn(X_i W_Q', K_1, V_1) W_O' (eq. 4). W_Q' starts
as W_Q, W_O' as zero; these two are trained and nothing else. The paper's Content-Adapter and Frame Similarity Prior
are left out: see README.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers.models.attention_processor import Attention, AttnProcessor2_0
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from rdtf_bench.baselines.i2vgen_xl.parts import Conditioning, Parts, load_parts
from rdtf_bench.baselines.i2vgen_xl.tuning import Known, TunedI2VGenXL
from rdtf_bench.baselines.i2vgen_xl.unet import AdapterI2VGenXLUNet, Context, split_heads

VERSION = 1
ASSETS = ("autoencoder", "text_encoder", "image_encoder", "base")


@dataclass(frozen=True, kw_only=True)
class Config(Conditioning):
    """The method itself has no number to choose; the paper trains with a learning rate of 1e-4."""


class CrossFrameAttention(nn.Module):
    """A spatial self-attention's processor: diffusers' own, plus attention of all frames to the known ones."""

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
        """A clip's frames in a row ask its known frames in a row, whose keys and values are made once."""
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
    """In all spatial self-attentions (16 at full size), none of the temporal ones."""
    for name, module in unet.named_modules():
        if _is_place(name):
            module.set_processor(CrossFrameAttention(module, unet.context))


def _is_place(name: str) -> bool:
    return ".attentions." in name and name.endswith(".attn1")


class I2VAdapter(TunedI2VGenXL):
    NAME = "i2v_adapter"
    KNOWN_STAY_CLEAN = True

    def __init__(self, parts: Parts, config: Config) -> None:
        super().__init__(parts, config, version=VERSION)
        add_adapter(parts.unet)

    def reset(self, seed: int) -> None:  # noqa: ARG002 nothing in it is drawn
        for name, module in self.parts.unet.named_modules():
            if _is_place(name):
                module.processor.reset(module)

    def counted(self, known: Known, task: str) -> Known:  # noqa: ARG002
        """Frames that enter free of noise have nothing to be learnt."""
        return 1 - known


def build(config: Config, *, assets: Mapping[str, Path], device: torch.device) -> I2VAdapter:
    return I2VAdapter(load_parts(assets, device=device), config)
