"""The spatial temporal interaction layer (sec. "Discrete frame generation network") and its alternatives of Table 3.

Every layer here takes the frames folded into the batch axis, and the number of frames, as diffusers' TemporalConvLayer
does. By default `STI` follows the authors' code (mails9523/mails9523.github.io@de717c7) and keeps its parameter names.
Where the text of the paper differs, an option follows it.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from diffusers.models.attention_processor import Attention
from diffusers.models.resnet import ResnetBlock2D, TemporalConvLayer
from jaxtyping import Float
from torch import Tensor, nn

Frames = Float[Tensor, "BF C H W"]
Clips = Float[Tensor, "B C F H W"]

TemporalLayer = Literal["sti", "temporal_conv", "detail_only", "semantic_only", "conv3d", "none"]


def to_clips(hidden_states: Frames, num_frames: int) -> Clips:
    """Move the frames of a batch into a dimension of their own."""
    return hidden_states.view(-1, num_frames, *hidden_states.shape[1:]).transpose(1, 2)


def to_frames(hidden_states: Clips) -> Frames:
    """Undo `to_clips`."""
    return hidden_states.transpose(1, 2).flatten(0, 1)


class FramesAsChannels(nn.ModuleList):
    """The released detail branch: 3x3 residual blocks that mix the frames with one kernel for all channels.

    The blocks use the frames as their channels, so the number of frames is fixed when the layer is built.
    """

    def __init__(self, num_frames: int) -> None:
        super().__init__(
            ResnetBlock2D(in_channels=num_frames, out_channels=num_frames, temb_channels=None, groups=1)
            for _ in range(2)
        )

    def forward(self, hidden_states: Frames, num_frames: int) -> Frames:
        clips = to_clips(hidden_states, num_frames)
        planes = clips.flatten(0, 1)
        for block in self:
            planes = block(planes, None)
        return to_frames(planes.view(clips.shape))


class TemporalConvs(nn.Module):
    """The detail branch of the paper: two convolutions over time with kernel (3, 1, 1) (Table 6)."""

    def __init__(self, channels: int, num_groups: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv3d(channels, channels, (3, 1, 1), padding=(1, 0, 0)),
            nn.GroupNorm(num_groups, channels, eps=1e-6),
            nn.SiLU(),
            nn.Conv3d(channels, channels, (3, 1, 1), padding=(1, 0, 0)),
        )

    def forward(self, hidden_states: Frames, num_frames: int) -> Frames:
        return to_frames(self.layers(to_clips(hidden_states, num_frames)))


class Gate(nn.Module):
    """The fusion of the paper: "a linear layer to get the weights of the two branches [...] after normalization"."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm_semantic = nn.LayerNorm(channels)
        self.norm_detail = nn.LayerNorm(channels)
        self.weights = nn.Linear(2 * channels, 2)

    def forward(self, semantic: Frames, detail: Frames) -> Frames:
        semantic_last = self.norm_semantic(semantic.movedim(1, -1))
        detail_last = self.norm_detail(detail.movedim(1, -1))
        weights = self.weights(torch.cat([semantic_last, detail_last], dim=-1)).softmax(dim=-1)
        fused: Tensor = weights[..., :1] * semantic_last + weights[..., 1:] * detail_last
        return fused.movedim(-1, 1)


class STI(nn.Module):
    """Fuse a semantic branch, which attends over coarse regions of all frames, with a detail branch.

    pool: the paper's gamma, the factor by which both sides of the feature map shrink before the attention. It is
        limited to the smaller side of the map. DEVIATION: the released layer fails on a 1x1 map, and ours does not.
    detail: "frames_as_channels" (released) or "temporal_convs" (the k x 1 x 1 kernels of the paper).
    fusion: "scalars" (released: weights that start at w1 = 0 and w2 = 1, then a group norm) or "gate" (the linear layer
        of the paper).
    residual: True normalises the input and adds the output of the layer to it. The released layer has no residual.
    branches: "detail" and "semantic" leave out the other branch (the ablation of Table 3).
    """

    def __init__(
        self,
        channels: int,
        num_frames: int = 8,
        *,
        num_groups: int = 32,
        num_heads: int = 8,
        head_dim: int = 32,
        pool: int = 2,
        detail: Literal["frames_as_channels", "temporal_convs"] = "frames_as_channels",
        fusion: Literal["scalars", "gate"] = "scalars",
        residual: bool = False,
        branches: Literal["both", "detail", "semantic"] = "both",
    ) -> None:
        super().__init__()
        self.pool = pool
        self.norm_in = nn.GroupNorm(num_groups, channels, eps=1e-6) if residual else None
        self.transformer_blocks: nn.Module | None = None
        self.conv_layers: FramesAsChannels | TemporalConvs | None = None
        self.gate: Gate | None = None
        if branches != "detail":
            self.transformer_blocks = Attention(query_dim=channels, heads=num_heads, dim_head=head_dim, bias=False)
        if branches != "semantic":
            by_channels = detail == "frames_as_channels"
            self.conv_layers = FramesAsChannels(num_frames) if by_channels else TemporalConvs(channels, num_groups)
        if fusion == "gate" and branches == "both":
            self.gate = Gate(channels)
        else:
            if branches == "both":
                self.w1 = nn.Parameter(torch.zeros(1))
                self.w2 = nn.Parameter(torch.ones(1))
            self.norm = nn.GroupNorm(num_groups, channels, eps=1e-6)  # the released code says: "against NaN loss"

    def forward(self, hidden_states: Frames, num_frames: int) -> Frames:
        normed = hidden_states if self.norm_in is None else self.norm_in(hidden_states)
        fused = self._fuse(normed, num_frames)
        return fused if self.norm_in is None else hidden_states + fused

    def _fuse(self, hidden_states: Frames, num_frames: int) -> Frames:
        if self.conv_layers is None:
            return self.norm(self._semantic(hidden_states, num_frames))
        detail = self.conv_layers(hidden_states, num_frames)
        if self.transformer_blocks is None:
            return self.norm(detail)
        semantic = self._semantic(hidden_states, num_frames)
        if self.gate is not None:
            return self.gate(semantic, detail)
        return self.norm(self.w1 * semantic + self.w2 * detail)

    def _semantic(self, hidden_states: Frames, num_frames: int) -> Frames:
        assert self.transformer_blocks is not None
        height, width = hidden_states.shape[-2:]
        pool = min(self.pool, height, width)
        regions = F.avg_pool2d(hidden_states, pool) if pool > 1 else hidden_states
        tokens = to_clips(regions, num_frames).movedim(1, -1)
        mixed = self.transformer_blocks(tokens.flatten(1, 3)).view(tokens.shape)
        coarse = to_frames(mixed.movedim(-1, 1))
        return hidden_states + F.interpolate(coarse, size=(height, width), mode="nearest")


class Conv3D(nn.Module):
    """One 3x3x3 convolution with a residual, initialised to zero: the literal reading of "3D-Conv" in Table 3."""

    def __init__(self, channels: int, num_groups: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(num_groups, channels, eps=1e-6)
        self.conv = nn.Conv3d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.conv.weight)
        if self.conv.bias is not None:
            nn.init.zeros_(self.conv.bias)

    def forward(self, hidden_states: Frames, num_frames: int) -> Frames:
        clips = to_clips(hidden_states, num_frames)
        return hidden_states + to_frames(self.conv(F.silu(self.norm(clips))))


class NoTemporalLayer(nn.Module):
    """Return the input unchanged."""

    def forward(self, hidden_states: Frames, num_frames: int) -> Frames:  # noqa: ARG002
        return hidden_states


def temporal_conv(channels: int, num_groups: int) -> nn.Module:
    """Return diffusers' TemporalConvLayer as I2VGen-XL uses it: our default reading of "3D-Conv" in Table 3.

    DEVIATION: I2VGen-XL has a dropout of 0.1 here, which draws from the global generator. We leave it out.
    """
    return TemporalConvLayer(channels, channels, dropout=0.0, norm_num_groups=num_groups)
