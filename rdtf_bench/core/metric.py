"""The interface of a metric, and the score that it returns.

A metric module defines LABEL, UNIT, HIGHER_IS_BETTER, VERSION, MIN_CLIPS, ASSETS (the roles of the networks that it
needs), USES (which of "fake", "real" and "captions" the score depends on), a frozen dataclass `Config`, and
`build(config, assets=, device=) -> Metric`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from rdtf_bench.core.video import VideoU8

NUM_GROUPS = 50
"""Number of groups of clips for the delete-a-group jackknife; a smaller set of clips has fewer groups."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """A value over n clips, and the same value without each group of clips."""

    value: float
    n: int
    without_group: tuple[float, ...]
    name: str = ""  # yardstick with everything that determines the value: "fvd[i3d-k400, 8>16 repeat, ..., n 500]"
    beside: Mapping[str, float] = field(default_factory=dict)  # further results for the same clips, by name


@runtime_checkable
class Metric(Protocol):
    """A metric that first observes each clip by itself and then scores the observations of a set."""

    @property
    def yardstick(self) -> str:
        """Name of the network and of the preprocessing of frames, such as "enet-lite0 96px"."""
        ...

    def observe(self, video: VideoU8, clip_ids: Sequence[str]) -> Float[Tensor, "B ..."]:
        """Return what the score needs of each clip: features, a raw score, or embeddings.

        The observation of a clip depends on that clip alone.
        """
        ...

    def score(
        self,
        *,
        fake: Float[Tensor, "N ..."],
        real: Float[Tensor, "M ..."],
        captions: Sequence[str],
        groups: Sequence[int],
    ) -> Score:
        """Return the score of observations; `groups[i]` is the jackknife group of the i-th clip of both sides."""
        ...
