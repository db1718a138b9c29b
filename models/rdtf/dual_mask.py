"""The dual mask (sec. "Dual-mask based data utilization strategy"): condition mask, loss mask and frame extraction.

The condition mask says which frames are given to the network; the loss mask says which frames enter the loss. Each clip
takes k frames of a sticker as the first k of the network's F frames. The remaining frames are padding without loss.
Both masks are drawn for each clip on its own number of frames. DEVIATION: the authors' code cuts a batch to its
shortest clip and draws one task for the whole batch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from rdtf_bench.core.errors import DataError
from rdtf_bench.core.method import TrainingClips
from rdtf_bench.data.frames import ClusteredFrames, Representative, whole_loop
from rdtf_bench.diffusion.objective import Drawn
from rdtf_bench.models.rdtf.curriculum import Case

Padding = Literal["grey", "last"]
Choice = Literal["clusters", "intervals", "offline"]

LatentsOf = Callable[[int, Sequence[int], torch.Generator], Float[Tensor, "k c h w"]]
"""(index of a sticker, places of its frames, random generator) -> the latents of these frames."""


@dataclass(frozen=True, kw_only=True)
class MaskedClips:
    """A batch of clips with its condition mask and its loss mask."""

    latents: Float[Tensor, "B F C H W"]
    known: Float[Tensor, "B F"]  # the condition mask: 1 where the frame is given
    counted: Float[Tensor, "B F"]  # the loss mask: 1 where the frame enters the loss


class Extraction:
    """Choose the frames of a sticker that a training step sees."""

    def __init__(self, clips: TrainingClips, *, choice: Choice, representative: Representative) -> None:
        """Choose one frame per cluster, frames at equal intervals, or the key frames that the data names."""
        self.clips = clips
        self._choice, self._representative = choice, representative

    def available(self, index: int) -> int:
        """Return the number of frames of a sticker that can be chosen."""
        return len(self._keyframes(index) if self._choice == "offline" else self.clips.features(index))

    def frames(self, index: int, count: int, generator: torch.Generator) -> tuple[int, ...]:
        """Return the numbers of `count` frames of a sticker in temporal order.

        A sticker with fewer frames is extended by playing it back and forth.
        """
        available = self.available(index)
        if self._choice == "clusters" and available >= count:
            features = self.clips.features(index)
            return ClusteredFrames(features).draw(count, generator, representative=self._representative)
        places = whole_loop(available, count)
        return tuple(self._keyframes(index)[place] for place in places) if self._choice == "offline" else places

    def _keyframes(self, index: int) -> Sequence[int]:
        keyframes = self.clips.keyframes(index)
        if not keyframes:
            raise DataError(
                f"{self.clips.ids[index]}: the data names no key frames of this clip (keyframe_idx), which the option "
                "extraction: offline needs. Add them to its metadata, or choose clusters or intervals."
            )
        return keyframes


def masked_clips(
    drawn: Sequence[Drawn],
    cases: Sequence[Case],
    *,
    latents_of: LatentsOf,
    num_frames: int,
    extraction: Extraction,
    padding: Padding,
    grey: Float[Tensor, "C H W"],
) -> MaskedClips:
    """Return the batch for these stickers and cases; `grey` is the latent of an all-zero frame (released padding)."""
    latents = []
    known = torch.zeros(len(drawn), num_frames)
    counted = torch.zeros(len(drawn), num_frames)
    for row, (clip, case) in enumerate(zip(drawn, cases, strict=True)):
        places = extraction.frames(clip.index, case.num_frames, clip.generator)
        real = latents_of(clip.index, places, clip.generator)
        filler = grey if padding == "grey" else real[-1]
        latents.append(torch.cat([real, filler.expand(num_frames - len(real), *filler.shape)]))
        known[row, : len(real)] = torch.tensor(case.known, dtype=torch.float32)
        counted[row, : len(real)] = 1
    return MaskedClips(latents=torch.stack(latents), known=known, counted=counted)
