"""Frechet video distance (FVD; Unterthiner et al. 2018, arXiv:1812.01717): a distance between two sets of clips.

`Config.network` selects the network. `i3d` is the network of the paper, with its published variants as profiles and a
named rule for clips that are too short for it. `enet_lite0` describes frames by EfficientNet-Lite0 and motion by the
changes of its features; it ranks spatial and temporal faults, but its values are not comparable with those of I3D.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from rdtf_bench.core.errors import DataError, ProtocolError, unknown_name
from rdtf_bench.core.metric import PartScore, Score
from rdtf_bench.core.video import VideoU8, require_clips
from rdtf_bench.metrics import sample_ids
from rdtf_bench.metrics.features import efficientnet
from rdtf_bench.metrics.features.clip_networks import (
    PROFILES,
    ClipNetwork,
    EfficientNetClips,
    I3DClips,
    NamedNetwork,
    load_i3d,
)
from rdtf_bench.metrics.frechet import (
    Moments,
    frechet_distance,
    frechet_infinity,
    frechet_of_moments,
    of_resamples,
    without_each_group,
)
from rdtf_bench.metrics.kernel import kernel_distance
from rdtf_bench.metrics.states import ClipMetric
from rdtf_bench.metrics.statistics import bootstrap_deviation, evened, resamples

LABEL = "FVD"
UNIT = ""
HIGHER_IS_BETTER = False
VERSION = 1
MIN_CLIPS = 2
ASSETS = ("efficientnet",)
MORE_ASSETS = {("network", "i3d"): ("i3d",)}
USES = ("fake", "real")
PARTS = ("appearance", "motion")  # of enet_lite0; I3D has none, because its features are averaged over time

NETWORKS = ("enet_lite0", "i3d")
KEPT_CLIPS = 50_000
"""Largest number of clips per side whose features are kept (160 MB at 400 float64 features).

For more clips only the mean and the covariance are kept."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """The options of the metric: the network and how it reads the clips."""

    network: str = "enet_lite0"
    size_px: int = 96
    """Side of the frames that enet_lite0 reads; I3D always reads 224 px. On clips of 64 px, sizes of 64, 96 and 112
    rank blur, noise and freezing alike."""
    num_frames: int | None = None
    """Number of frames per clip, which is part of the yardstick's name; clips of another length are refused. None takes
    the length of the first clips."""
    profile: str = "reference"
    """Program whose resize, epsilon and covariance `i3d` follows (PROFILES). The paper names none; the default is the
    original program of FVD."""
    rule: str = "repeat"
    """Rule by which `i3d` extends clips of fewer than 16 frames. The paper scores 8 frames and names no rule."""
    compiled: bool = False
    """Whether torch.compile compiles `i3d`: it takes half a minute, is faster then, and moves features by 7e-7."""
    resamples: int = 0
    """Number of bootstrap resamples of the groups of clips, whose standard deviation is reported beside the jackknife
    interval; 0 for none."""


class FrechetVideoDistance(ClipMetric):
    """FVD as a torchmetrics metric.

    It keeps the features of the clips, so that the states of several processes merge without loss. `network` defaults
    to EfficientNet-Lite0 at 96 px; `load_i3d` makes the original network. `ddof` defaults to that of the network's
    profile. `num_frames` and `resamples` have the meaning of the fields of Config. `options` go to torchmetrics, such
    as `dist_sync_fn`.
    """

    higher_is_better = HIGHER_IS_BETTER

    fake: list[Tensor]
    real: list[Tensor]
    fake_ids: list[Tensor]
    real_ids: list[Tensor]
    frame_counts: list[Tensor]

    def __init__(
        self,
        network: ClipNetwork | None = None,
        *,
        ddof: int | None = None,
        num_frames: int | None = None,
        resamples: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        self.network = network or EfficientNetClips(efficientnet.load(), size_px=Config().size_px)
        profile = PROFILES[self.network.profile] if isinstance(self.network, I3DClips) else PROFILES["reference"]
        self.ddof = profile.ddof if ddof is None else ddof
        self.num_frames, self.resamples = num_frames, resamples
        self._asked_frames = num_frames
        width = self.network.num_features
        for side in ("fake", "real"):
            self.add_state(side, default=[], dist_reduce_fx="cat")
            self.add_state(f"{side}_ids", default=[], dist_reduce_fx="cat")
            # for the clips beyond KEPT_CLIPS: count, mean and scatter as one vector, and their ids
            self.add_state(f"{side}_moments", torch.zeros(1 + width + width**2).double(), dist_reduce_fx=_merged)
            self.add_state(f"{side}_folded_ids", default=[], dist_reduce_fx="cat")
        self.add_state("frame_counts", default=[], dist_reduce_fx="cat")

    @property
    def yardstick(self) -> str:
        return self.network.yardstick

    def name(self, n: int) -> str:
        """Return the yardstick with everything that determines the value; different names are not comparable."""
        network = self.network
        said = network.full_name(self.num_frames) if isinstance(network, NamedNetwork) else network.yardstick
        return f"fvd[{said}, ddof {self.ddof}, n {n}]"

    def observe(self, video: VideoU8, clip_ids: Sequence[str]) -> Float[Tensor, "B D"]:
        """Return the features of each clip, on the CPU. FVD draws nothing at random and ignores the ids."""
        del clip_ids
        require_clips(video)
        features = self.network(video).cpu()
        self.num_frames = self.num_frames or video.shape[1]
        if video.shape[1] != self.num_frames:
            raise DataError(
                f"clips of {video.shape[1]} frames among clips of {self.num_frames}: FVD compares clips of one length"
            )
        return features

    def update(self, video: VideoU8, *, real: bool, clip_ids: Sequence[str] | None = None) -> None:
        """Add clips to one side. With ids, a clip that a distributed sampler repeats as padding counts once."""
        self._add(self.observe(video, ()), real=real, clip_ids=clip_ids)
        self.frame_counts.append(torch.tensor([video.shape[1]], device=self.device))

    def update_features(
        self, features: Float[Tensor, "B D"], *, real: bool, clip_ids: Sequence[str] | None = None
    ) -> None:
        """Add clips by their features, such as those of a cached reference set."""
        self._computed = None  # as torchmetrics does around `update`
        self._update_count += 1
        self._add(features, real=real, clip_ids=clip_ids)

    def reset(self) -> None:
        super().reset()
        self.num_frames = self._asked_frames

    def no_clips(self) -> Mapping[str, Tensor]:
        features = torch.zeros(0, self.network.num_features, dtype=torch.float64)
        numbers = torch.zeros(0, dtype=torch.long)
        lists = [state for state, default in self._defaults.items() if isinstance(default, list)]
        return {state: features if state in ("fake", "real") else numbers for state in lists}

    def _add(self, features: Float[Tensor, "B D"], *, real: bool, clip_ids: Sequence[str] | None) -> None:
        ids = sample_ids.hashed(clip_ids, len(features))
        side = "real" if real else "fake"
        getattr(self, side).append(features.to(self.device).double())
        getattr(self, f"{side}_ids").append(ids.to(self.device))
        if sum(len(part) for part in getattr(self, side)) > KEPT_CLIPS:
            self._fold(side)

    def compute(self) -> Float[Tensor, ""]:
        """Return the distance in float64.

        Raises DataError if a side has fewer than 2 clips, or if clips differ in their number of frames.
        """
        counts = sorted(set(self.rows("frame_counts").tolist()))
        if len(counts) > 1:
            raise DataError(f"clips of {counts} frames: FVD compares clips of one length")
        if self._folded("fake") or self._folded("real"):
            moments = {side: self._moments(side) for side in ("fake", "real")}
            value = frechet_of_moments(fake=moments["fake"], real=moments["real"], ddof=self.ddof)
        else:
            value = frechet_distance(fake=self.features("fake"), real=self.features("real"), ddof=self.ddof)
        return torch.tensor(value, dtype=torch.float64)

    def score(
        self,
        *,
        fake: Float[Tensor, "N D"],
        real: Float[Tensor, "N D"],
        captions: Sequence[str],
        groups: Sequence[int],
    ) -> Score:
        """Return the score of observations of equally many clips on both sides.

        The values without each group are rescaled to groups of equal size (`statistics.evened`). `Score.beside` has the
        unbiased kernel distance, the distance at infinitely many clips (from 2 clips per feature on) and, if
        `resamples` is set, the standard deviation of the bootstrap. `Score.parts` has the distances of the features of
        EfficientNet-Lite0 that see single frames (appearance) and changes (motion). Their sum is at most the value.
        """
        del captions
        value, spread = self._with_spread(fake, real, groups)
        beside = {"kernel_distance": kernel_distance(fake=fake, real=real)}
        if len(fake) >= 2 * fake.shape[1]:
            beside["frechet_infinity"] = frechet_infinity(fake=fake, real=real, ddof=self.ddof)
        if self.resamples:
            drawn = resamples([str(group) for group in groups], self.resamples)
            values = of_resamples(fake=fake, real=real, resamples=drawn, ddof=self.ddof)
            beside["bootstrap_deviation"] = bootstrap_deviation(values)
        parts = {}
        if isinstance(self.network, EfficientNetClips):
            for part, columns in self.network.parts.items():
                of_part = self._with_spread(fake[:, columns], real[:, columns], groups)
                parts[part] = PartScore(value=of_part[0], without_group=of_part[1])
        name = self.name(len(fake))
        return Score(value=value, n=len(fake), without_group=spread, name=name, beside=beside, parts=parts)

    def _with_spread(
        self, fake: Float[Tensor, "N D"], real: Float[Tensor, "N D"], groups: Sequence[int]
    ) -> tuple[float, tuple[float, ...]]:
        """Return the distance, and the distance without each group."""
        value = frechet_distance(fake=fake, real=real, ddof=self.ddof)
        without = without_each_group(fake=fake, real=real, groups=groups, ddof=self.ddof)
        return value, evened(value, without, groups)

    def features(self, side: str) -> Float[Tensor, "N D"]:
        """Return the features of the side "fake" or "real", each clip once.

        They are the input of a kernel distance, of FVD-infinity and of the distance between two halves.
        """
        if self._folded(side):
            raise DataError(f"{side}: for more than {KEPT_CLIPS} clips only mean and covariance were kept")
        features = self.rows(side)
        if len(features) == 0:
            raise DataError(f"{side}: no clips were given; FVD needs at least {MIN_CLIPS}")
        return features[sample_ids.first_of_each(self.rows(f"{side}_ids"))]

    def _folded(self, side: str) -> int:
        return int(getattr(self, f"{side}_moments")[0])

    def _fold(self, side: str) -> None:
        """Replace the kept features by their mean and covariance."""
        merged = _flat(self._moments(side))
        getattr(self, f"{side}_folded_ids").append(self._new_ids(side)[0])
        setattr(self, f"{side}_moments", merged)
        setattr(self, side, [])
        setattr(self, f"{side}_ids", [])

    def _moments(self, side: str) -> Moments:
        """Return the moments of all clips of a side, each clip once."""
        if not bool(sample_ids.first_of_each(self.rows(f"{side}_folded_ids")).all()):
            raise DataError(
                f"{side}: several processes were given the same clips. Beyond {KEPT_CLIPS} clips per process a "
                "repeated clip cannot be removed again. Use a sampler that does not pad."
            )
        folded = _unflat(getattr(self, f"{side}_moments"), self.network.num_features)
        return folded.merged(Moments.of(self.rows(side)[self._new_ids(side)[1]]))

    def _new_ids(self, side: str) -> tuple[Int64[Tensor, " K"], Bool[Tensor, " N"]]:
        """Return the ids of the kept clips that are not folded yet, and a mask of these clips."""
        ids, before = self.rows(f"{side}_ids"), self.rows(f"{side}_folded_ids")
        new = sample_ids.first_of_each(torch.cat([before, ids]))[len(before) :]
        return ids[new], new


def build(config: Config, *, assets: Mapping[str, Path], device: torch.device) -> FrechetVideoDistance:
    """Build the metric from its options and the paths of its assets."""
    network: EfficientNetClips | I3DClips
    if config.network == "enet_lite0":
        network = EfficientNetClips(efficientnet.load(assets["efficientnet"], device), size_px=config.size_px)
    elif config.network == "i3d":
        network = load_i3d(assets["i3d"], profile=config.profile, rule=config.rule, compiled=config.compiled)
    else:
        raise ProtocolError(f"fvd: {unknown_name('network', config.network, NETWORKS)}")
    return FrechetVideoDistance(network, num_frames=config.num_frames, resamples=config.resamples).to(device)


def _flat(moments: Moments) -> Float[Tensor, " S"]:
    return torch.cat([moments.mean.new_tensor([moments.count]), moments.mean, moments.scatter.flatten()])


def _unflat(state: Float[Tensor, " S"], width: int) -> Moments:
    return Moments(count=int(state[0]), mean=state[1 : 1 + width], scatter=state[1 + width :].view(width, width))


def _merged(states: Float[Tensor, "P S"]) -> Float[Tensor, " S"]:
    """Merge the moments of P processes."""
    width = round((states.shape[1] - 0.75) ** 0.5 - 0.5)  # 1 + width + width^2
    merged = _unflat(states[0], width)
    for state in states[1:]:
        merged = merged.merged(_unflat(state, width))
    return _flat(merged)
