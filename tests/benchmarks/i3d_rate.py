"""Clips a second of I3D (16 frames, 224 px, random weights, one clip a pass): as ports of it are written (fp32,
contiguous, torch's convolution and max pooling), then ours contiguous, in channels_last_3d, and compiled.

OMP_NUM_THREADS=1 python tests/benchmarks/i3d_rate.py [--compile]
"""

import argparse
import time
from collections.abc import Callable
from copy import deepcopy
from statistics import median
from unittest.mock import patch

import torch
from jaxtyping import Float
from torch import Tensor
from torch._inductor import config as inductor
from torch.nn import functional

from rdtf_bench.core.seeds import generator_for
from rdtf_bench.metrics.features import i3d
from rdtf_bench.metrics.features.i3d import I3D, SamePool

REPEATS = 5
Case = Callable[[], Tensor]


@torch.inference_mode()
def seconds(case: Case) -> tuple[float, Float[Tensor, "B K"]]:
    began = time.process_time()
    features = case()
    return time.process_time() - began, features


def max_pool(self: SamePool, hidden: Float[Tensor, "B C T H W"]) -> Float[Tensor, "B C t h w"]:
    return functional.max_pool3d(i3d.pad_same(hidden, *self.axes), *self.axes)


def seeded(network: I3D) -> I3D:
    """Weights under which the features come from the video: fresh ones give the classifier's bias alone."""
    for name, value in network.state_dict().items():
        if value.ndim > 1:
            drawn = torch.randn(value.shape, generator=generator_for("benchmark", name))
            value.copy_(0.2 * drawn / value[0].numel() ** 0.5)
        elif name.endswith("running_var"):
            value.fill_(0.02)
    return network


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--compile", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    contiguous = seeded(I3D().eval())
    last = deepcopy(contiguous).to(memory_format=torch.channels_last_3d)
    video = torch.rand(1, 3, 16, 224, 224, generator=generator_for("benchmark")) * 2 - 1
    video_last = video.to(memory_format=torch.channels_last_3d)

    def plain() -> Tensor:
        with (
            patch.object(SamePool, "forward", max_pool),
            patch.object(i3d, "convolved", lambda hidden, layer: layer(hidden)),
        ):
            features: Tensor = contiguous(video)
            return features

    cases: dict[str, Case] = {
        "plain": plain,
        "contiguous": lambda: contiguous(video),
        "channels_last_3d": lambda: last(video_last),
    }
    if given.compile:
        compiled = torch.compile(last)
        cases["channels_last_3d, compiled and frozen"] = lambda: compiled(video_last)
    with inductor.patch(freezing=given.compile):
        warm = {name: seconds(case)[1] for name, case in cases.items()}
        # in turns, so that what else the machine does falls on all alike
        taken: dict[str, list[float]] = {name: [] for name in cases}
        for _ in range(REPEATS):
            for name, case in cases.items():
                taken[name].append(seconds(case)[0])
    slowest = median(taken["plain"])
    for name, features in warm.items():
        typical = median(taken[name])
        gap = float((features - warm["plain"]).norm() / warm["plain"].norm())
        print(f"{name}: {1 / typical:.2f} clips a CPU second, {slowest / typical:.2f} times, features {gap:.1e} away")


if __name__ == "__main__":
    main()
