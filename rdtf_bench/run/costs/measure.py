"""Measure one forward pass of each denoiser at full size: parameters, operations, seconds, memory. Weights are random.

Networks are built on the meta device and filled with small random numbers, which takes seconds instead of the minutes
of their own initialisation. Networks that adapt the same base share its tensors.
"""

import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from rdtf_bench.core.store import Store, write_text
from rdtf_bench.metrics.seconds import median_with_interval
from rdtf_bench.run import environment
from rdtf_bench.run.costs import memory
from rdtf_bench.run.costs.parameters import configured, parameter_counts
from rdtf_bench.run.costs.record import FILE, CostRecord, Measured, key
from rdtf_bench.run.protocols import load_scale
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import CostSpec, Options

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}
SPREAD = 0.02  # of the random weights: activations neither explode nor vanish

AROUND = ("text_encoder", "image_encoder", "autoencoder", "t5_encoder")

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Denoiser:
    """The denoiser of a row, the inputs of one forward pass, and the parameter counts of its method."""

    label: str
    method: str
    network: nn.Module
    inputs: dict[str, Tensor]
    counts: dict[str, int]


@dataclass(frozen=True, kw_only=True)
class Pass:
    """One forward pass."""

    seconds: float
    cpu_seconds: float  # of all threads
    flops: int  # 0 where they were not counted
    peak_bytes: int  # beside what was held before, the weights


def run(spec: CostSpec, *, root: Path, say: Say) -> CostRecord:
    """Return the measured costs from the store, or measure them now."""
    store = Store(root.resolve())
    place = store.path("costs", key(spec)) / FILE
    if not place.is_file():
        scale = load_scale(spec.scale)
        torch.set_num_threads(len(os.sched_getaffinity(0)))
        began_s = time.monotonic()
        record = CostRecord(
            protocol=spec.name,
            version=spec.version,
            rows=tuple(measure(spec, scale, say=say)),
            readings=tuple(
                parameter_counts(reading.method, scale, reading.options)["total"] for reading in spec.readings
            ),
            environment=environment.describe(device().type, torch.get_num_threads()),
            seconds=round(time.monotonic() - began_s, 1),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        text = json.dumps(asdict(record), indent=1, sort_keys=True) + "\n"
        store.make("costs", key(spec), lambda folder: write_text(folder / FILE, text))
    return CostRecord.read(place)


def device() -> torch.device:
    """Return the GPU if there is one, else the CPU; the yardstick names it."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def measure(spec: CostSpec, scale: Scale, *, say: Say) -> Iterator[Measured]:
    """Yield the counted and timed numbers of every row at every precision."""
    for row in spec.rows:  # a method that cannot be measured is named before any network is made
        configured(row.method, scale, row.options)
    say("making the networks")
    shared: dict[str, nn.Parameter] = {}
    denoisers = [_denoiser(row.label, row.method, row.options, spec, scale, shared) for row in spec.rows]
    for denoiser in denoisers:
        yield from _parameter_counts(denoiser)
    clip = f"1x{spec.clip.num_frames}x{spec.clip.size_px}x{spec.clip.size_px}"
    began_s = time.monotonic()
    for place, precision in enumerate(spec.precisions):
        for denoiser in denoisers:
            _cast(denoiser, DTYPES[precision])
        warm_up = [_one_pass(denoiser, count=place == 0) for denoiser in denoisers]
        say(f"{precision}: {sum(one.seconds for one in warm_up):.0f} s to warm up")
        deadline_s = began_s + spec.max_seconds * (place + 1) / len(spec.precisions)
        passes = _passes(denoisers, spec.repeats, deadline_s, partial(_say_of, say, precision))
        for denoiser, first in zip(denoisers, warm_up, strict=True):
            if place == 0:
                yield _single(denoiser, "flops", clip, float(first.flops))
            yield from _times(denoiser, passes[denoiser.label], f"{clip} {device().type} {precision}")


def fill(network: nn.Module, shared: dict[str, nn.Parameter]) -> None:
    """Fill a network of the meta device with random numbers; frozen tensors come from `shared`, by their name there."""
    for prefix, module in network.named_modules():
        for name, parameter in list(module.named_parameters(recurse=False)):
            base_name = re.sub(r"^base_model\.model\.|\.base_layer\b", "", f"{prefix}.{name}")
            filled = None if parameter.requires_grad else shared.get(base_name)
            if filled is None:
                values = torch.empty(parameter.shape, device=device()).uniform_(-SPREAD, SPREAD)
                filled = nn.Parameter(values, requires_grad=False)
                if not parameter.requires_grad:
                    shared[base_name] = filled
            setattr(module, name, filled)


def _denoiser(
    label: str, method: str, options: Options, spec: CostSpec, scale: Scale, shared: dict[str, nn.Parameter]
) -> Denoiser:
    module, config, configs = configured(method, scale, options)
    network = module.denoiser_on_meta(config, configs)
    fill(network, shared)
    inputs = module.denoiser_inputs(
        config, configs, batch_size=1, num_frames=spec.clip.num_frames, size_px=spec.clip.size_px
    )
    return Denoiser(
        label=label,
        method=method,
        network=network.eval(),
        inputs={name: tensor.to(device()) for name, tensor in inputs.items()},
        counts=module.parameter_counts(config, configs),
    )


def _cast(denoiser: Denoiser, dtype: torch.dtype) -> None:
    """Cast in place, so that shared parameters are cast for all networks and never held twice."""
    nn.Module.to(denoiser.network, dtype)  # diffusers' own warns of what it would keep in float32: nothing
    for name, tensor in denoiser.inputs.items():
        if tensor.is_floating_point():
            denoiser.inputs[name] = tensor.to(dtype)


def _say_of(say: Say, precision: str, said: str) -> None:
    say(f"{precision}: {said}")


def _passes(denoisers: Sequence[Denoiser], repeats: int, deadline_s: float, say: Say) -> dict[str, list[Pass]]:
    """Time the networks in turns (A B C D A B C D ...), so that drift of the machine affects all; at least once."""
    taken: dict[str, list[Pass]] = {denoiser.label: [] for denoiser in denoisers}
    for repeat in range(repeats):
        began_s = time.monotonic()
        for denoiser in denoisers:
            taken[denoiser.label].append(_one_pass(denoiser, count=False))
        now_s = time.monotonic()
        say(f"round {repeat + 1} of {repeats}: {now_s - began_s:.0f} s")
        if now_s + (now_s - began_s) > deadline_s:
            break
    return taken


@torch.no_grad()
def _one_pass(denoiser: Denoiser, *, count: bool) -> Pass:
    counter = FlopCounterMode(display=False)
    held = memory.start(device().type)
    began_s, cpu_began_s = time.perf_counter(), time.process_time()
    with counter if count else nullcontext():
        denoiser.network(**denoiser.inputs)
    if device().type == "cuda":
        torch.cuda.synchronize()
    return Pass(
        seconds=time.perf_counter() - began_s,
        cpu_seconds=time.process_time() - cpu_began_s,
        flops=counter.get_total_flops() if count else 0,
        peak_bytes=memory.peak(device().type) - held,
    )


def _parameter_counts(denoiser: Denoiser) -> Iterator[Measured]:
    for part, count in denoiser.counts.items():
        metric = "params" if part == "total" else f"params_{part}"
        yield _single(denoiser, metric, part if part in AROUND else "denoiser", float(count))


def _single(denoiser: Denoiser, metric: str, yardstick: str, value: float) -> Measured:
    """Return a counted number, whose interval is a point."""
    return _measured(denoiser, metric, yardstick, (value, value, value), n=1)


def _measured(
    denoiser: Denoiser, metric: str, yardstick: str, with_interval: tuple[float, float, float], *, n: int
) -> Measured:
    value, ci_low, ci_high = with_interval
    return Measured(
        label=denoiser.label,
        method=denoiser.method,
        metric=metric,
        yardstick=yardstick,
        value=value,
        ci_low=ci_low,
        ci_high=ci_high,
        n=n,
    )


def _times(denoiser: Denoiser, passes: Sequence[Pass], yardstick: str) -> Iterator[Measured]:
    weights = sum(parameter.nbytes for parameter in denoiser.network.parameters())
    columns: Mapping[str, list[float]] = {
        "seconds": [one.seconds for one in passes],
        "cpu_seconds": [one.cpu_seconds for one in passes] if device().type == "cpu" else [],
        "peak_memory_gib": [(weights + one.peak_bytes) / 2**30 for one in passes],
    }
    for metric, values in columns.items():
        if values:
            yield _measured(denoiser, metric, yardstick, median_with_interval(values), n=len(values))
