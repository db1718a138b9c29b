"""Layers that hide the padding frames of a clip from every layer that mixes frames (option `isolate_padding`).

A layer that takes any number of frames gets only the real frames of each clip, so its output is that of a clip without
padding. A layer whose number of frames is fixed (the released detail branch) gets zeros in place of the padding, so the
content of the padding has no effect.
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from diffusers.models.resnet import TemporalConvLayer
from diffusers.models.transformers.transformer_temporal import TransformerTemporalModel
from jaxtyping import Float
from torch import Tensor, nn

from rdtf_bench.models.rdtf.sti import STI, Conv3D, Frames, FramesAsChannels


class PaddedFrames(int):
    """The number of frames including padding, and the number of real frames of each clip.

    It is an int, because diffusers' blocks pass the number of frames on to their temporal layers.
    """

    lengths: tuple[int, ...]

    def __new__(cls, num_frames: int, lengths: Sequence[int]) -> "PaddedFrames":
        self = super().__new__(cls, num_frames)
        self.lengths = tuple(lengths)
        return self


def each_clip_alone(layer: Callable[[Frames, int], Frames], hidden_states: Frames, num_frames: PaddedFrames) -> Frames:
    """Apply the layer to the real frames of each clip and return the padding unchanged.

    Clips with the same number of real frames go through the layer together.
    """
    clips = hidden_states.view(-1, int(num_frames), *hidden_states.shape[1:])
    output = clips.clone()
    for length in sorted(set(num_frames.lengths)):
        rows = [row for row, own in enumerate(num_frames.lengths) if own == length]
        mixed = layer(clips[rows, :length].flatten(0, 1), length)
        output[rows, :length] = mixed.view(len(rows), length, *mixed.shape[1:])
    return output.flatten(0, 1)


def without_padding(hidden_states: Frames, num_frames: PaddedFrames) -> Frames:
    """Replace the padding by zeros."""
    places = torch.arange(int(num_frames), device=hidden_states.device)
    real = places < torch.tensor(num_frames.lengths, device=hidden_states.device)[:, None]
    return torch.where(real.flatten()[:, None, None, None], hidden_states, 0.0)


class IsolatedTransformer(TransformerTemporalModel):  # type: ignore[misc]
    """A temporal transformer that padding frames do not reach."""

    def forward(self, hidden_states: Frames, *, num_frames: int, **_: Any) -> tuple[Float[Tensor, "BF C H W"]]:
        def mix(states: Frames, count: int) -> Frames:
            mixed: Frames = TransformerTemporalModel.forward(self, states, num_frames=count, return_dict=False)[0]
            return mixed

        return (_isolated(mix, hidden_states, num_frames),)


class IsolatedTemporalConv(TemporalConvLayer):  # type: ignore[misc]
    """A temporal convolution that padding frames do not reach."""

    def forward(self, hidden_states: Frames, num_frames: int) -> Frames:
        own: Callable[[Frames, int], Frames] = super().forward
        return _isolated(own, hidden_states, num_frames)


class IsolatedConv3D(Conv3D):
    """A 3-D convolution that padding frames do not reach."""

    def forward(self, hidden_states: Frames, num_frames: int) -> Frames:
        return _isolated(super().forward, hidden_states, num_frames)


class IsolatedSTI(STI):
    """An STI layer that padding frames do not reach."""

    def forward(self, hidden_states: Frames, num_frames: int) -> Frames:
        if isinstance(num_frames, PaddedFrames) and isinstance(self.conv_layers, FramesAsChannels):
            return super().forward(without_padding(hidden_states, num_frames), int(num_frames))
        return _isolated(super().forward, hidden_states, num_frames)


def _isolated(layer: Callable[[Frames, int], Frames], hidden_states: Frames, num_frames: int) -> Frames:
    if isinstance(num_frames, PaddedFrames):
        return each_clip_alone(layer, hidden_states, num_frames)
    return layer(hidden_states, num_frames)


ISOLATED: dict[type[nn.Module], type[nn.Module]] = {
    TransformerTemporalModel: IsolatedTransformer,
    TemporalConvLayer: IsolatedTemporalConv,
    Conv3D: IsolatedConv3D,
    STI: IsolatedSTI,
}


def isolate(network: nn.Module) -> None:
    """Turn every temporal layer into its variant that handles padding; parameters and their names stay the same."""
    for module in network.modules():
        module.__class__ = ISOLATED.get(type(module), type(module))
