"""What every metric must offer, and what it returns.

A metric module holds LABEL, UNIT, HIGHER_IS_BETTER, VERSION, MIN_CLIPS, ASSETS (roles of the networks it looks
through), USES (of "fake", "real", "captions", what the score depends on), a frozen dataclass `Config`, and
`build(config, assets=, device=) -> Metric`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

from rdtf_bench.core.video import VideoU8

NUM_GROUPS = 50
"""Groups of clips for the delete-a-group jackknife; fewer where there are fewer clips."""


@dataclass(frozen=True, kw_only=True)
class Score:
    """A value over n clips, and the same value with each group of clips left out in turn."""

    value: float
    n: int
    without_group: tuple[float, ...]
    name: str = ""  # the yardstick with all that decides it, such as "fvd[i3d-k400, 8>16 repeat, ..., n 500]"
    beside: Mapping[str, float] = field(default_factory=dict)  # further figures of the same clips, by name


@runtime_checkable
class Metric(Protocol):
    @property
    def yardstick(self) -> str:
        """Names the network and what was done to the frames, such as "enet-lite0 96px"."""
        ...

    def observe(self, video: VideoU8, clip_ids: Sequence[str]) -> Float[Tensor, "B ..."]:
        """What the score needs of each clip (features, a raw score, embeddings); it depends on that clip alone."""
        ...

    def score(
        self,
        *,
        fake: Float[Tensor, "N ..."],
        real: Float[Tensor, "M ..."],
        captions: Sequence[str],
        groups: Sequence[int],
    ) -> Score:
        """From observations. `groups[i]` is the group of the i-th clip, of fake and real alike."""
        ...
