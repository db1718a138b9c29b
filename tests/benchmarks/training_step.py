"""CPU seconds of a training step of each method, beside the time that its matrix products need at this machine's rate.

    OMP_NUM_THREADS=1 python tests/benchmarks/training_step.py [--scale tiny] [--method METHOD ...] [--repeats 5]
        [--profile METHOD] [--mixed-precision bf16] [--compile]

The lower bound is the number of floating-point operations of a step (torch.utils.flop_counter) over the rate of a large
matrix product, in the precision of the steps, that is measured in turns with them. Clips are random: only their shapes
matter. `--profile` prints the operators that take longest.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from rdtf_bench.baselines.i2vgen_xl.tuning import TunedI2VGenXL, TuningStep
from rdtf_bench.core.method import Training, TrainingClips
from rdtf_bench.core.seeds import generator_for
from rdtf_bench.diffusion.objective import ClipGradients, Objective
from rdtf_bench.diffusion.training import accelerator_for
from rdtf_bench.models.rdtf.method import RDTF
from rdtf_bench.run import process
from rdtf_bench.run.build import modules
from rdtf_bench.run.protocols import load_tables
from rdtf_bench.run.table import context
from rdtf_bench.spec.load import load_scale

MATRIX = 1024  # rows and columns of the product whose rate is the yardstick


class RandomClips:
    """Clips of random latents, features and pixels."""

    def __init__(self, count: int, size_px: int, shrink: int, frames: int = 16) -> None:
        generator = generator_for("training step")
        side = size_px // shrink
        self.ids = [f"clip{number}" for number in range(count)]
        self.captions = [f"a red star that jumps {number % 7} times" for number in range(count)]
        self.shard_sizes = [count]
        self._latents = torch.randn(count, frames, 4, side, side, generator=generator)
        self._features = torch.randn(count, frames, 32, generator=generator)
        self._pixels = torch.zeros(frames, 3, size_px, size_px, dtype=torch.uint8)

    def frames(self, index: int, places: Sequence[int]) -> UInt8[Tensor, "k C H W"]:  # noqa: ARG002
        return self._pixels[list(places)]

    def latents(self, index: int) -> Float[Tensor, "F C H W"]:
        return self._latents[index]

    def keyframes(self, index: int) -> Sequence[int]:  # noqa: ARG002
        return ()

    def features(self, index: int) -> Float[Tensor, "F D"]:
        return self._features[index]


def steps_of(
    scale_name: str, methods: Sequence[str] = (), clips: TrainingClips | None = None, **changed: object
) -> dict[str, ClipGradients]:
    """Return the gradients of the trained rows of table 1 with these methods, or of all of them if none is given.

    Without `clips`, they are random. `changed` are fields of the training budget.
    """
    scale, (spec,) = load_scale(scale_name), load_tables("table1", None)
    _, cells = context.cells_of(spec, scale, None, Path("no-store"))
    assets = {role: asset.path for role, asset in context.find_assets(scale).items()}
    steps: dict[str, ClipGradients] = {}
    clips = clips or RandomClips(64, scale.clip.size_px, 8)
    for cell in cells:
        if cell.fit is None or (methods and cell.method not in methods):
            continue
        method = modules.build(cell.trained, assets, torch.device("cpu"))
        training = Training(**{**cell.trained.training.model_dump(), **changed})
        if isinstance(method, RDTF):
            objective: Objective = method._training_step(clips, training)
        else:
            assert isinstance(method, TunedI2VGenXL)
            method.task = training.task
            objective = TuningStep(method, method.examples(clips, training))
        steps[cell.method] = ClipGradients(
            objective, clips, training, accelerator_for(torch.device("cpu"), mixed_precision=training.mixed_precision)
        )
    return steps


def seconds(function: Callable[[], object]) -> float:
    began_s = time.process_time()
    function()
    return time.process_time() - began_s


def operations_of(steps: Mapping[str, Callable[[int], object]]) -> dict[str, int]:
    """Return the number of floating-point operations of a step of each method."""
    found = {}
    for name, step in steps.items():
        with FlopCounterMode(display=False) as counter:
            step(0)
        found[name] = counter.get_total_flops()
    return found


def measure(
    steps: Mapping[str, Callable[[int], object]], operations: dict[str, int], dtype: torch.dtype, repeats: int
) -> None:
    left, right = torch.randn(2, MATRIX, MATRIX).to(dtype)
    taken: dict[str, list[float]] = {name: [] for name in steps}
    rates: list[float] = []
    for name, step in steps.items():
        began_s = time.perf_counter()  # by the clock, because compilers are processes of their own
        step(0)
        print(f"{name}: {time.perf_counter() - began_s:.1f} s for the first step, which compiles", flush=True)
    for number in range(repeats):
        rates.append(2 * MATRIX**3 / seconds(lambda: left @ right))
        for name, step in steps.items():
            taken[name].append(seconds(lambda step=step, number=number: step(number + 1)))  # type: ignore[misc]
    rate = statistics.median(rates)
    print(f"matrix product: {rate / 1e9:.0f} GFLOP/s")
    for name, values in taken.items():
        middle, bound = statistics.median(values), operations[name] / rate
        print(
            f"{name}: {1000 * middle:.0f} ms a step, {operations[name] / 1e9:.1f} GFLOP, "
            f"{middle / bound:.2f} times the bound of {1000 * bound:.0f} ms"
        )


def profile(step: Callable[[int], object], rows: int) -> None:
    step(0)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as found:
        for number in range(3):
            step(number + 1)
    print(found.key_averages().table(sort_by="self_cpu_time_total", row_limit=rows))


def main(given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", default="tiny")
    parser.add_argument("--method", action="append", default=[], help="may be given several times; all by default")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--profile", metavar="METHOD")
    parser.add_argument("--mixed-precision", choices=("no", "bf16"), default="no")
    parser.add_argument("--compile", action="store_true")
    options = parser.parse_args(given)
    process.prepare(1)  # deterministic algorithms, as in a run
    steps = steps_of(options.scale, options.method, mixed_precision=options.mixed_precision, compile=options.compile)
    if options.profile:
        profile(steps[options.profile], rows=25)
    else:
        dtype = torch.bfloat16 if options.mixed_precision == "bf16" else torch.float32
        measure(steps, operations_of(steps_of(options.scale, options.method)), dtype, options.repeats)


if __name__ == "__main__":
    main()
