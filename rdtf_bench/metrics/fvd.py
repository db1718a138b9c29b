"""Frechet video distance (Unterthiner et al. 2018, arXiv:1812.01717): how far two sets of clips are apart.

The network is a field. `enet_lite0` looks at frames through EfficientNet-Lite0 and at motion through the changes of
its features; it ranks spatial and temporal faults, but its values are not those of the I3D network of the paper.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from rdtf_bench.core.errors import DataError, ProtocolError
from rdtf_bench.core.metric import Score
from rdtf_bench.core.seeds import seed_for
from rdtf_bench.core.video import VideoU8
from rdtf_bench.metrics.features import efficientnet
from rdtf_bench.metrics.frechet import frechet_distance, without_each_group
from rdtf_bench.metrics.statistics import evened

LABEL = "FVD"
UNIT = ""
HIGHER_IS_BETTER = False
VERSION = 1
MIN_CLIPS = 2
ASSETS = ("efficientnet",)
USES = ("fake", "real")

NO_ID = -1  # ids are 63-bit hashes, so never negative


@dataclass(frozen=True, kw_only=True)
class Config:
    network: str = "enet_lite0"
    size_px: int = 96
    """Frames are resized to it. Blur, noise, freezing and shuffling order clips of 64 px at 64, 96 and 112 alike."""


@runtime_checkable
class ClipNetwork(Protocol):
    """What a Frechet distance looks through: a frozen network from clips to one row of features each."""

    @property
    def yardstick(self) -> str: ...

    @property
    def num_features(self) -> int: ...

    def __call__(self, video: VideoU8) -> Float[Tensor, "B D"]:
        """Each clip's features depend on that clip alone."""
        ...


class EfficientNetClips(nn.Module):
    """960 features a clip: mean, mean absolute first and mean absolute second difference of 320 over the frames."""

    num_features = 3 * efficientnet.NUM_FEATURES

    def __init__(self, network: efficientnet.EfficientNetLite0, *, size_px: int) -> None:
        super().__init__()
        self.network = network
        self.size_px = size_px

    @property
    def yardstick(self) -> str:
        return f"enet-lite0 {self.size_px}px"

    def forward(self, video: VideoU8) -> Float[Tensor, "B D"]:
        if video.shape[1] < 3:
            raise DataError(f"second differences over time need at least 3 frames a clip, these have {video.shape[1]}")
        # a clip a pass: the same bits whatever else is in the batch
        return torch.stack([temporal_summary(self.network.features(clip, size_px=self.size_px)) for clip in video])


def temporal_summary(features: Float[Tensor, "F D"]) -> Float[Tensor, " E"]:
    """Mean over frames, then mean absolute first and second difference: E = 3 D."""
    first, second = features.diff(dim=0), features.diff(n=2, dim=0)
    return torch.cat([features.mean(0), first.abs().mean(0), second.abs().mean(0)])


class FrechetVideoDistance(Metric):
    """FVD as a torchmetrics metric; features are kept, so that states merge and sync without loss.

    `network` defaults to EfficientNet-Lite0 at 96 px. `options` are torchmetrics' own, such as `dist_sync_fn`.
    """

    higher_is_better = HIGHER_IS_BETTER
    is_differentiable = False
    full_state_update = False

    fake: list[Tensor]
    real: list[Tensor]
    fake_ids: list[Tensor]
    real_ids: list[Tensor]

    def __init__(self, network: ClipNetwork | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.network = network or EfficientNetClips(efficientnet.load(), size_px=Config().size_px)
        for state in ("fake", "real", "fake_ids", "real_ids"):
            self.add_state(state, default=[], dist_reduce_fx="cat")

    @property
    def yardstick(self) -> str:
        return self.network.yardstick

    def observe(self, video: VideoU8, clip_ids: Sequence[str]) -> Float[Tensor, "B D"]:
        """Features of each clip. The ids are for metrics with randomness; this has none."""
        del clip_ids
        return self.network(video)

    def update(self, video: VideoU8, *, real: bool, clip_ids: Sequence[str] | None = None) -> None:
        """Add clips to one side. With ids, a clip that comes again (a sampler's padding) counts once."""
        if clip_ids is not None and len(clip_ids) != len(video):
            raise DataError(f"{len(video)} clips came with {len(clip_ids)} ids")
        hashes = [NO_ID] * len(video) if clip_ids is None else [seed_for(clip_id) for clip_id in clip_ids]
        features, ids = (self.real, self.real_ids) if real else (self.fake, self.fake_ids)
        features.append(self.network(video))
        ids.append(torch.tensor(hashes, device=self.device))

    def compute(self) -> Float[Tensor, ""]:
        """The distance in float64; DataError where a side has fewer than 2 clips."""
        fake, real = self._side("fake"), self._side("real")
        return torch.tensor(frechet_distance(fake=fake, real=real), dtype=torch.float64)

    def score(
        self,
        *,
        fake: Float[Tensor, "N D"],
        real: Float[Tensor, "N D"],
        captions: Sequence[str],
        groups: Sequence[int],
    ) -> Score:
        """From observations of equally many clips; the values without each group are for groups of equal size."""
        del captions
        value = frechet_distance(fake=fake, real=real)
        without = without_each_group(fake=fake, real=real, groups=groups)
        return Score(value=value, n=len(fake), without_group=evened(value, without, groups))

    def _side(self, name: str) -> Float[Tensor, "N D"]:
        parts: list[Tensor] = getattr(self, name)
        if len(parts) == 0:  # a list, or after a sync one tensor
            raise DataError(f"{name}: no clips were given; FVD needs at least {MIN_CLIPS}")
        return dim_zero_cat(parts)[_first_of_each(dim_zero_cat(getattr(self, f"{name}_ids")))]


def build(config: Config, *, assets: Mapping[str, Path], device: torch.device) -> FrechetVideoDistance:
    if config.network != "enet_lite0":
        raise ProtocolError(f"fvd: there is no network {config.network!r}. Known: enet_lite0.")
    network = efficientnet.load(assets["efficientnet"], device)
    return FrechetVideoDistance(EfficientNetClips(network, size_px=config.size_px)).to(device)


def _first_of_each(ids: Int64[Tensor, " N"]) -> Bool[Tensor, " N"]:
    """1 where an id comes for the first time, and where there is none."""
    seen: set[int] = set()
    first = []
    for number in ids.tolist():
        first.append(number == NO_ID or number not in seen)
        seen.add(number)
    return torch.tensor(first, device=ids.device)
