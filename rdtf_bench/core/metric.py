"""The contract of a metric: what every metric offers, and what it returns.

A metric is a module. One that looks at clips is a `MetricModule`, whose `build` returns a `Metric`. One that looks at
the network (USES names "network": params and seconds) has LABEL, UNIT, HIGHER_IS_BETTER, VERSION and USES alone.
MORE_ASSETS may name further networks, as in core/method.py. PARTS may name the parts that a score can have.
Upper-case constants must be literals.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from rdtf_bench.core.video import VideoU8

NUM_GROUPS = 50
"""Number of groups of clips for the delete-a-group jackknife; a smaller set of clips has fewer groups."""


@dataclass(frozen=True, kw_only=True)
class PartScore:
    """The value of one part of what a metric sees, and the same value without each group of clips."""

    value: float
    without_group: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Score:
    """A value over n clips, and the same value without each group of clips."""

    value: float
    n: int
    without_group: tuple[float, ...]
    name: str = ""  # yardstick with everything that determines the value: "fvd[i3d-k400, 8>16 repeat, ..., n 500]"
    beside: Mapping[str, float] = field(default_factory=dict)  # further results for the same clips, by name
    parts: Mapping[str, PartScore] = field(default_factory=dict)  # by name; PARTS of the module lists them


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


@runtime_checkable
class MetricModule(Protocol):
    """The module of a metric of clips: what `catalog.METRICS` names."""

    @property
    def LABEL(self) -> str:
        """Heading of the column."""
        ...

    @property
    def UNIT(self) -> str:
        """Unit of the value, such as "dB"; empty where there is none."""
        ...

    @property
    def HIGHER_IS_BETTER(self) -> bool:
        """Whether a higher value is the better one."""
        ...

    @property
    def VERSION(self) -> int:
        """Number that is raised when a value of the metric can change."""
        ...

    @property
    def MIN_CLIPS(self) -> int:
        """Smallest number of clips that the metric is defined for."""
        ...

    @property
    def ASSETS(self) -> tuple[str, ...]:
        """Roles of the networks that the metric needs; the scale names their weights."""
        ...

    @property
    def USES(self) -> tuple[str, ...]:
        """Names of what the score depends on: "fake", "real", "captions"."""
        ...

    @property
    def Config(self) -> type[Any]:
        """Frozen, keyword-only dataclass of the metric's options."""
        ...

    def build(self, config: Any, *, assets: Mapping[str, Path], device: torch.device) -> Metric:
        """Load the networks from `assets` (path by role)."""
        ...
