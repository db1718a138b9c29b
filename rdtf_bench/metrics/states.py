"""The common base of the torchmetrics metrics of clips."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import torch
from torch import Tensor, nn
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from rdtf_bench.core.errors import InputError


class ClipMetric(Metric):
    """A metric whose list states have one row per clip; they sync even if a process was given no clips.

    Its networks, features and statistics keep the dtype that the yardstick implies. `half`, `double`, `to(dtype)` and
    the like change nothing, also when they are called on a module that holds the metric; `to(device)` moves everything.
    """

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

    def set_dtype(self, dst_type: str | torch.dtype) -> NoReturn:
        """Raise InputError: in another dtype the number would belong to another yardstick."""
        raise InputError(
            f"{type(self).__name__}: its dtype cannot be set to {dst_type}, because every score is computed in the "
            "dtype of its yardstick. Leave set_dtype out; clips are uint8 and need no dtype."
        )

    def _apply(self, fn: Callable[[Tensor], Tensor], exclude_state: Sequence[str] = "") -> nn.Module:
        # torchmetrics keeps the states out of some casts, and never the networks
        def moved(tensor: Tensor) -> Tensor:
            after = fn(tensor)
            return after if after.dtype == tensor.dtype else tensor.to(after.device)

        return super()._apply(moved, exclude_state)
