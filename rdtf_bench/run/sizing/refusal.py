"""Refuses, before any work, rows whose training or sampling cannot fit into the memory of a GPU."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from rdtf_bench.core.errors import DeviceError
from rdtf_bench.core.method import Training
from rdtf_bench.diffusion import sharding
from rdtf_bench.run.sizing import need
from rdtf_bench.spec.identities import FitIdentity, TrainedSamples
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.scale import Scale

GIB = 2**30
SAVING: Mapping[str, tuple[str, Any]] = {
    "micro_batch_size": ("1", 1),
    "gradient_checkpointing": ("true", True),
    "mixed_precision": ("bf16", "bf16"),
    "ema_decay": ("0", 0.0),
}
"""Settings with which training needs less memory, as a scale spells them. The first two move a result by rounding."""


@dataclass(frozen=True, kw_only=True)
class Device:
    """A GPU and its memory."""

    name: str
    num_bytes: int


def smallest() -> Device:
    """Return the GPU with the least memory of those that this process sees."""
    found = [torch.cuda.get_device_properties(number) for number in range(torch.cuda.device_count())]
    least = min(found, key=lambda properties: properties.total_memory)
    return Device(name=least.name, num_bytes=least.total_memory)


def require(
    cells: Sequence[Cell], scale: Scale, device: Device, *, processes: int, shard_weights: bool = False
) -> None:
    """Raise DeviceError for the first row that needs more memory than the device has.

    A plug-in that cannot say what it needs is not refused.
    """
    for cell in distinct(cells):
        assert isinstance(cell.sample, TrainedSamples)
        if not need.is_known(cell.method):
            continue
        training = Training(**cell.trained.training.model_dump(), shard_weights=shard_weights)
        needed = need.training_need(cell.trained, training, scale, processes=processes).total
        if needed > device.num_bytes:
            smaller = _smaller(cell.trained, training, needed, scale, processes) or "a narrower network"
            remedies = [
                f"Change the scale ({smaller})",
                *_shared(cell.trained, training, needed, scale, processes, device),
            ]
            raise DeviceError(_message(cell, "training", needed, scale, device, remedies))
        needed = need.sampling_bytes(cell.trained, cell.sample.sampler, scale)
        if needed > device.num_bytes:
            remedies = [f"Change the scale (sampling.batch_size is {scale.sampling.batch_size})"]
            raise DeviceError(_message(cell, "sampling", needed, scale, device, remedies))


def distinct(cells: Sequence[Cell]) -> Iterator[Cell]:
    """Yield the first of those cells that are trained alike but for their random seed."""
    seen = set()
    for cell in cells:
        if cell.fit is not None:
            alike = cell.fit.model_copy(update={"training": cell.fit.training.model_copy(update={"seed": 0})}).key
            if alike not in seen:
                seen.add(alike)
                yield cell


def _smaller(fit: FitIdentity, training: Training, needed: int, scale: Scale, processes: int) -> str:
    """Name the settings with which training needs less, with the need of each, and of all together."""

    def need_with(**changes: Any) -> int:
        return need.training_need(fit, replace(training, **changes), scale, processes=processes).total

    found, together = dict[str, int](), dict[str, Any]()
    for name, (text, value) in SAVING.items():
        if getattr(training, name) != value and (size := need_with(**{name: value})) < needed:
            found[f"training.{name}: {text}"] = size
            together[name] = value
    if len(found) > 1:
        found["all of these"] = need_with(**together)
    return "; ".join(f"{name} needs {size / GIB:.1f} GiB" for name, size in found.items())


def _shared(
    fit: FitIdentity, training: Training, needed: int, scale: Scale, processes: int, device: Device
) -> list[str]:
    """Name the fewest processes that fit if they share the weights, or the most that there can be, if that helps."""
    if not sharding.is_possible(training):
        return []
    found, shards = list[str](), replace(training, shard_weights=True)
    for number in range(max(processes, 2), training.batch_size + 1):
        if training.batch_size % number == 0:
            each = need.training_need(fit, shards, scale, processes=number).total
            if each < needed:
                found = [f"give --processes {number} --shard-weights ({each / GIB:.1f} GiB of each of {number} GPUs)"]
            if each <= device.num_bytes:
                break
    return found


def _message(cell: Cell, work: str, num_bytes: int, scale: Scale, device: Device, remedies: Sequence[str]) -> str:
    return (
        f"row {cell.label!r}: {work} needs {num_bytes / GIB:.1f} GiB of memory at scale {scale.name}, and "
        f"{device.name} has {device.num_bytes / GIB:.1f} GiB. {', '.join(remedies)}, or use a larger GPU. "
        f"`rdtf-bench show-scale {scale.name}` prints a scale to start from, and `rdtf-bench plan --memory` says what "
        "each part needs"
    )
