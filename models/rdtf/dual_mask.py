"""The dual mask (sec. "Dual-mask based data utilization strategy"): what of a sticker a training step sees.

The condition mask says which frames are given, the loss mask which count. k frames are extracted, the first k of the
network's F count, and what follows is padding without loss. Both masks are drawn on the clip's own number of frames;
DEVIATION: the authors' code cuts a batch to its shortest clip and draws one task for all of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import torch
from diffusers import AutoencoderKL
from jaxtyping import Float, UInt8
from torch import Tensor

from rdtf_bench.core.method import TrainingClips
from rdtf_bench.core.video import to_unit
from rdtf_bench.data.frames import ClusteredFrames, Representative, whole_loop
from rdtf_bench.models.rdtf.curriculum import Case

Padding = Literal["grey", "last"]

STICKERS_KEPT = 65_536  # ready for clustering, 32 KiB each of 64 frames


class PosteriorSamples:
    """The training clips with latents drawn from the autoencoder's posterior instead of its mode, as the authors train;
    one draw a frame and step, which is target and condition."""

    def __init__(self, clips: TrainingClips, autoencoder: AutoencoderKL, generator: torch.Generator) -> None:
        self.ids, self.captions = clips.ids, clips.captions
        self._clips, self._autoencoder, self._generator = clips, autoencoder, generator

    def frames(self, index: int) -> UInt8[Tensor, "F C H W"]:
        return self._clips.frames(index)

    def features(self, index: int) -> Float[Tensor, "F D"]:
        return self._clips.features(index)

    def latents(self, index: int) -> Float[Tensor, "F c h w"]:
        return self.latents_of(index, range(len(self._clips.frames(index))))

    @torch.no_grad()
    def latents_of(self, index: int, places: Sequence[int]) -> Float[Tensor, "P c h w"]:
        """Of the frames at these P places; a place that comes twice has one draw."""
        wanted = sorted(set(places))
        frames = to_unit(self._clips.frames(index)[wanted][None])[0].to(self._autoencoder.device)
        posterior = self._autoencoder.encode(frames).latent_dist
        noise = torch.randn(posterior.mean.shape, generator=self._generator).to(posterior.mean)
        latents = (posterior.mean + posterior.std * noise) * self._autoencoder.config.scaling_factor
        return latents.cpu()[[wanted.index(place) for place in places]]


@dataclass(frozen=True, kw_only=True)
class MaskedClips:
    latents: Float[Tensor, "B F C H W"]
    known: Float[Tensor, "B F"]  # 1 where the frame is given
    counted: Float[Tensor, "B F"]  # 1 where the loss counts


class Extraction:
    """Which frames of a sticker a draw takes; what clustering needs of a sticker is made once."""

    def __init__(self, clips: TrainingClips, *, clustering: bool, representative: Representative) -> None:
        self.clips = clips
        self._clustering, self._representative = clustering, representative
        self._clustered = lru_cache(STICKERS_KEPT)(lambda index: ClusteredFrames(clips.features(index)))

    def frames(self, index: int, count: int, generator: torch.Generator) -> tuple[int, ...]:
        """`count` frames of one sticker in the order of time; a sticker that has fewer is extended by ping-pong."""
        available = len(self.clips.features(index))
        if self._clustering and available >= count:
            return self._clustered(index).draw(count, generator, representative=self._representative)
        return whole_loop(available, count)


def masked_clips(
    clips: TrainingClips,
    indices: Sequence[int],
    cases: Sequence[Case],
    generator: torch.Generator,
    *,
    num_frames: int,
    extraction: Extraction,
    padding: Padding,
    grey: Float[Tensor, "C H W"],
) -> MaskedClips:
    """The batch for these stickers and cases. `grey` is the latent of a frame of zeros, the released padding."""
    latents = []
    known = torch.zeros(len(indices), num_frames)
    counted = torch.zeros(len(indices), num_frames)
    for row, (index, case) in enumerate(zip(indices, cases, strict=True)):
        frames = extraction.frames(index, case.num_frames, generator)
        real = _latents_of(clips, index, frames)
        filler = grey if padding == "grey" else real[-1]
        latents.append(torch.cat([real, filler.expand(num_frames - len(real), *filler.shape)]))
        known[row, : len(real)] = torch.tensor(case.known, dtype=torch.float32)
        counted[row, : len(real)] = 1
    return MaskedClips(latents=torch.stack(latents), known=known, counted=counted)


def _latents_of(clips: TrainingClips, index: int, frames: Sequence[int]) -> Float[Tensor, "k c h w"]:
    if isinstance(clips, PosteriorSamples):  # encoded now: no more frames than are looked at
        return clips.latents_of(index, frames)
    return clips.latents(index)[list(frames)]
