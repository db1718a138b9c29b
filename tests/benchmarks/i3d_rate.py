"""Clips a second of I3D (16 frames, 224 px, random weights, one clip a pass): as ports of it are written (fp32,
contiguous, torch's convolution and max pooling), then ours contiguous, in channels_last_3d, and compiled.

OMP_NUM_THREADS=1 python tests/benchmarks/i3d_rate.py [--compile]
"""

import argparse
import time
from collections.abc import Callable
from unittest.mock import patch

import torch
from jaxtyping import Float
from torch import Tensor
from torch._inductor import config as inductor
from torch.nn import functional

from rdtf_bench.core.seeds import generator_for
from rdtf_bench.metrics.features import i3d
from rdtf_bench.metrics.features.i3d import I3D, SamePool

REPEATS = 3


@torch.inference_mode()
def rate(network: Callable[[Tensor], Tensor], video: Float[Tensor, "B C T H W"]) -> tuple[float, Float[Tensor, "B K"]]:
    features = network(video)  # warm
    best_s = float("inf")
    for _ in range(REPEATS):
        began = time.process_time()
        network(video)
        best_s = min(best_s, time.process_time() - began)
    return len(video) / best_s, features


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
    network = seeded(I3D().eval())
    video = torch.rand(1, 3, 16, 224, 224, generator=generator_for("benchmark")) * 2 - 1
    with (
        patch.object(SamePool, "forward", max_pool),
        patch.object(i3d, "convolved", lambda hidden, layer: layer(hidden)),
    ):
        plain, reference = rate(network, video)
    print(f"plain: {plain:.2f} clips a CPU second")
    ours, _ = rate(network, video)
    print(f"contiguous: {ours:.2f} clips a CPU second, {ours / plain:.2f} times")
    fast, last = network.to(memory_format=torch.channels_last_3d), video.to(memory_format=torch.channels_last_3d)
    cases: list[tuple[str, Callable[[Tensor], Tensor]]] = [("channels_last_3d", fast)]
    if given.compile:
        cases.append(("channels_last_3d, compiled and frozen", torch.compile(fast)))
    for name, case in cases:
        with inductor.patch(freezing=given.compile):
            found, features = rate(case, last)
        gap = float((features - reference).norm() / reference.norm())
        print(f"{name}: {found:.2f} clips a CPU second, {found / plain:.2f} times, features {gap:.1e} away")


if __name__ == "__main__":
    main()
