"""The common base of the torchmetrics metrics of clips."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat


class ClipMetric(Metric):
    """A metric whose list states have one row per clip; they sync even if a process was given no clips."""

    is_differentiable = False
    full_state_update = False

    @abstractmethod
    def no_clips(self) -> Mapping[str, Tensor]:
        """Return an empty tensor per list state, with the width and dtype that other processes send."""

    def rows(self, state: str) -> Tensor:
        """Return a list state as one tensor, whether or not it has been synced."""
        given: list[Tensor] | Tensor = getattr(self, state)
        parts = [given] if isinstance(given, Tensor) else given
        return dim_zero_cat(parts or [self.no_clips()[state].to(self.device)])

    def sync(self, *arguments: Any, **options: Any) -> None:
        # torchmetrics would send an empty float vector, whatever width and dtype the other processes send
        for state, rows in self.no_clips().items():
            if len(getattr(self, state)) == 0:
                setattr(self, state, [rows.to(self.device)])
        super().sync(*arguments, **options)
