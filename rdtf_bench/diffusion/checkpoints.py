"""The checkpoints of a training: the last two are kept, and a damaged one is passed over."""

import logging
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from torch import nn

from rdtf_bench.core.store import written_whole
from rdtf_bench.diffusion.sharding import divided, gathered

LAST, BEFORE = "checkpoint.pt", "checkpoint.before.pt"
MAX_S_BETWEEN = 15 * 60
"""Seconds after which a checkpoint is due even if a scale asks for few of them."""

_log = logging.getLogger(__name__)


@runtime_checkable
class Stateful(Protocol):
    """An object that changes during training and belongs in the checkpoint, such as a curriculum."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state that `state_dict` returned."""
        ...


class Checkpoints:
    """Saves and reads the checkpoints of one training in a folder."""

    def __init__(
        self, folder: Path, parameters: Mapping[str, nn.Parameter], parts: Mapping[str, Stateful], *, every: int
    ) -> None:
        """Keep `parameters` and the state of all `parts`; a checkpoint is due after `every` steps."""
        self._folder, self._parameters, self._parts, self._every = folder, parameters, parts, every
        self._saved_s = time.monotonic()
        self._is_last_damaged = False

    def is_due(self, step: int) -> bool:
        """Tell whether to save after this many steps: their number decides, or the time since the last checkpoint."""
        return step % self._every == 0 or time.monotonic() - self._saved_s > MAX_S_BETWEEN

    def save(self, step: int, *, write: bool = True) -> None:
        """Save the state after `step` steps; the last whole checkpoint before it is kept as well.

        Where the weights are sharded, all processes call this, and one of them writes.
        """
        weights = {name: parameter.detach() for name, parameter in self._parameters.items()}
        state = {"step": step, "parameters": weights}
        state = gathered(state | {name: part.state_dict() for name, part in self._parts.items()}, keep=write)
        if not write:
            return
        last = self._folder / LAST
        if last.is_file() and not self._is_last_damaged:
            last.replace(self._folder / BEFORE)
        # through an open file: by a path, torch would put the temporary name into the checkpoint's bytes
        with written_whole(last) as making, making.open("wb") as file:
            torch.save(state, file)
        self._saved_s, self._is_last_damaged = time.monotonic(), False

    def resume(self) -> int:
        """Load the newest checkpoint that is whole, and return the number of its steps; 0 if there is none."""
        for path in (self._folder / LAST, self._folder / BEFORE):
            if path.is_file() and _is_whole(path):
                return self._load(path)
            self._is_last_damaged |= path.is_file() and path.name == LAST
        return 0

    def _load(self, path: Path) -> int:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        with torch.no_grad():
            for name, parameter in self._parameters.items():
                parameter.copy_(divided(saved["parameters"][name], parameter))
        for name, part in self._parts.items():
            part.load_state_dict(saved[name])
        return int(saved["step"])


def _is_whole(path: Path) -> bool:
    """Tell whether all bytes of a checkpoint are those that were written, by the checksums in the file."""
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except zipfile.BadZipFile:
        damaged = path.name
    if damaged is not None:
        _log.warning("%s: the checkpoint is damaged and is passed over.", path)
    return damaged is None
