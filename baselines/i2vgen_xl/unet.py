"""diffusers' I2VGen-XL denoiser with an additional argument: the mask of known frames.

Without an adapter and with the first frame known, its output equals that of `I2VGenXLUNet` up to rounding. Its
parameters have the same names.
"""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from diffusers import I2VGenXLUNet
from diffusers.models.attention_processor import Attention
from diffusers.models.modeling_utils import ModelMixin
from diffusers.models.unets.unet_3d_condition import UNet3DConditionOutput
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint


@dataclass(frozen=True, kw_only=True)
class KnownFrames:
    """The places of the known frames of each clip, the earliest first. K is the largest number of any clip."""

    places: Int[Tensor, "B K"]
    padding: Bool[Tensor, "B K"] | None  # 1 for entries beyond a clip's known frames; None if all have K


@dataclass
class Context:
    """Facts about the current batch, shared by the network and its layers.

    It is an object instead of a closure, so that a deep copy of the network has its own.
    """

    num_frames: int = 0
    known: KnownFrames = field(init=False)
    first_known_latents: Float[Tensor, "B C H W"] = field(init=False)

    def local_image(self, _module: Any, _frame_zero: tuple[Tensor, ...]) -> tuple[Tensor]:
        """Replace frame 0, which diffusers takes even if it is unknown, by the first known frame (forward pre-hook)."""
        return (self.first_known_latents,)


def find_known(known: Float[Tensor, "B F"]) -> KnownFrames:
    """Return the places of the known frames of each clip, padded to the longest list."""
    counts = known.sum(1).long()
    most = int(counts.max())
    places = (1 - known).argsort(dim=1, stable=True)[:, :most]
    padding = torch.arange(most, device=known.device) >= counts[:, None]
    return KnownFrames(places=places, padding=padding if bool(padding.any()) else None)


class PerClipAttention:
    """Cross-attention to a context that all frames of a clip share, with keys and values computed once per clip.

    diffusers computes them for every frame from the same numbers. The output is the same up to rounding, because matrix
    products of another shape may use another kernel.
    """

    def __init__(self, context: Context) -> None:
        self.context = context

    def __call__(
        self,
        attn: Attention,
        hidden_states: Float[Tensor, "BF L D"],
        encoder_hidden_states: Float[Tensor, "BF T E"],
        attention_mask: None = None,
    ) -> Float[Tensor, "BF L D"]:
        num_frames = self.context.num_frames
        shared = encoder_hidden_states[::num_frames]
        query = split_heads(attn.to_q(hidden_states), attn.heads)
        key, value = (
            split_heads(states, attn.heads).repeat_interleave(num_frames, dim=0)
            for states in (attn.to_k(shared), attn.to_v(shared))
        )
        attended = functional.scaled_dot_product_attention(query, key, value, attn_mask=attention_mask)
        return attn.to_out[1](attn.to_out[0](attended.transpose(1, 2).flatten(2)))


def split_heads(states: Float[Tensor, "B L D"], heads: int) -> Float[Tensor, "B {heads} L d"]:
    """Divide the channels over the attention heads."""
    return states.reshape(*states.shape[:2], heads, -1).transpose(1, 2)


@contextmanager
def recomputed(unet: ModelMixin, *, enabled: bool) -> Iterator[None]:
    """Use gradient checkpointing, which diffusers does not offer for its 3-D U-Nets.

    Each block keeps only its input, and its activations are recomputed in the backward pass. The network is in eval
    mode, so on the same machine they are the same bit for bit.
    """
    if enabled:
        recompute_activations(unet)
    try:
        yield
    finally:
        for block in _blocks(unet) if enabled else ():
            del block.forward


def recompute_activations(denoiser: nn.Module) -> None:
    """Switch gradient checkpointing on for good, in the base itself or in a network around it."""
    for unet in [module for module in denoiser.modules() if "mid_block" in dict(module.named_children())]:
        for block in _blocks(unet):
            block.forward = functools.partial(_again_in_backward, block.forward)


def _blocks(unet: Any) -> list[Any]:
    return [*unet.down_blocks, unet.mid_block, *unet.up_blocks]


def _again_in_backward(forward: Callable[..., Any], *args: Any, **options: Any) -> Any:
    if not torch.is_grad_enabled():
        return forward(*args, **options)
    return checkpoint(forward, *args, use_reentrant=False, **options)


def become(module: nn.Module, adapted: type[nn.Module]) -> None:
    """Give a layer the forward of an adapted class; parameters and names stay, as with torch's parametrizations."""
    module.__class__ = adapted


class AdapterI2VGenXLUNet(I2VGenXLUNet):  # type: ignore[misc]
    """I2VGen-XL with the additional argument `known` and a context that adapters can read."""

    @functools.wraps(I2VGenXLUNet.__init__)  # type: ignore[misc]
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.context = Context()
        self.image_latents_context_embedding.register_forward_pre_hook(self.context.local_image)
        shared = PerClipAttention(self.context)
        self.set_attn_processor(
            {name: shared if _is_cross(name) else own for name, own in self.attn_processors.items()}
        )

    def forward(
        self,
        sample: Float[Tensor, "B C F H W"],
        timestep: Tensor | float | int,
        fps: Tensor,
        image_latents: Float[Tensor, "B C F H W"],
        image_embeddings: Float[Tensor, "B E"] | Float[Tensor, "B 1 E"] | None = None,
        encoder_hidden_states: Float[Tensor, "B L E"] | None = None,
        timestep_cond: Tensor | None = None,
        cross_attention_kwargs: dict[str, Any] | None = None,
        return_dict: bool = True,
        known: Float[Tensor, "B F"] | None = None,
    ) -> UNet3DConditionOutput | tuple[Tensor]:
        """Run diffusers' forward. By default `known` follows diffusers: the first frame of every clip."""
        if known is None:
            known = torch.zeros(sample.shape[0], sample.shape[2], device=sample.device)
            known[:, 0] = 1
        self.context.num_frames = sample.shape[2]
        self.context.known = find_known(known)
        clips = torch.arange(len(sample), device=known.device)
        self.context.first_known_latents = image_latents[clips, :, self.context.known.places[:, 0]]
        return super().forward(
            sample,
            timestep,
            fps,
            image_latents,
            image_embeddings,
            encoder_hidden_states,
            timestep_cond,
            cross_attention_kwargs,
            return_dict,
        )


def _is_cross(name: str) -> bool:
    """Return whether a name is attn2 of a spatial transformer; attn2 of a temporal one is a second self-attention."""
    return ".attentions." in name and ".attn2." in name
