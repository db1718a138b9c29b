"""Times a forward pass of the denoisers of a table's rows, as many in turns as the memory of the device can hold."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import psutil
import torch
from torch import Tensor, nn

from rdtf_bench.core.metric import Score
from rdtf_bench.core.store import Store
from rdtf_bench.metrics import seconds
from rdtf_bench.run.build import modules
from rdtf_bench.run.table import score as scoring
from rdtf_bench.run.table.finished import diverged_at_step, weights_of
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.scale import Scale

SHARE = 0.5
"""Share of the memory that denoisers which take turns may fill; the rest is for activations and the next network."""

Denoisers = dict[str, tuple[nn.Module, dict[str, Tensor]]]
"""Denoisers and the inputs of a forward pass, by the key of the score."""


def time_rows(
    cells: Sequence[Cell], scale: Scale, *, store: Store, assets: Mapping[str, Path], device: torch.device
) -> None:
    """Time one forward pass of the denoiser of each row, in float32, and store the scores."""
    yardstick = f"1x{scale.clip.num_frames}x{scale.clip.size_px}x{scale.clip.size_px} {scale.device} fp32"
    for denoisers in _that_take_turns(cells, scale, store, assets, device):
        taken = seconds.measure(denoisers, warmup=scale.timing.warmup, repeats=scale.timing.repeats)
        for key, values in taken.items():
            middle, low, high = seconds.median_with_interval(values)
            result = Score(value=middle, n=len(values), without_group=())
            scoring.write_score(scoring.to_record("seconds", result, low, high, yardstick, key), key, store)


def memory_bytes(device: torch.device) -> int:
    """Return the memory of a device."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return int(psutil.virtual_memory().total)


def _that_take_turns(
    cells: Sequence[Cell], scale: Scale, store: Store, assets: Mapping[str, Path], device: torch.device
) -> Iterator[Denoisers]:
    """Yield the denoisers of the rows in groups that fit into the share of the memory; a larger one is alone."""
    together: Denoisers = {}
    held_bytes, most_bytes = 0, SHARE * memory_bytes(device)
    for cell in cells:
        if diverged_at_step(store, cell.fit) is not None:
            continue
        method = modules.build(cell.trained, assets, device)
        method.load(weights_of(store, cell.trained))
        inputs = method.denoiser_inputs(batch_size=1, num_frames=scale.clip.num_frames, size_px=scale.clip.size_px)
        # in float32, as the yardstick says, also where a base is kept in bfloat16
        denoiser = method.denoiser().eval().float()
        del method  # the networks beside the denoiser need not be kept
        num_bytes = sum(parameter.nbytes for parameter in denoiser.parameters())
        if together and held_bytes + num_bytes > most_bytes:
            yield together
            together.clear()  # in place: whoever timed them still holds the dictionary
            held_bytes = 0
        together[cell.score_key("seconds")] = (denoiser, inputs)
        held_bytes += num_bytes
    if together:
        yield together
