"""Seconds of one forward pass of the denoiser at batch 1 (Table 8's "inference time"), methods interleaved."""

import time
from collections.abc import Mapping

import torch
from torch import Tensor, nn

LABEL = "Seconds"
UNIT = "s"
HIGHER_IS_BETTER = False
VERSION = 1
USES = ("network", "clock")


def median_with_interval(seconds: list[float]) -> tuple[float, float, float]:
    """The median and a 95 % interval of it from order statistics (normal approximation of the binomial ranks).

    >>> median_with_interval([3.0, 1.0, 2.0])
    (2.0, 1.0, 3.0)
    """
    ordered = sorted(seconds)
    n = len(ordered)
    half = 1.96 * n**0.5 / 2
    low, high = max(0, round(n / 2 - half) - 1), min(n - 1, round(n / 2 + half))
    middle = ordered[n // 2] if n % 2 else (ordered[n // 2 - 1] + ordered[n // 2]) / 2
    return middle, ordered[low], ordered[high]


@torch.inference_mode()
def measure(
    denoisers: Mapping[str, tuple[nn.Module, dict[str, Tensor]]], *, warmup: int, repeats: int
) -> dict[str, list[float]]:
    """Wall seconds of each repeat, A B C A B C ..., so that drift of the machine hits all alike."""
    taken: dict[str, list[float]] = {name: [] for name in denoisers}
    for repeat in range(warmup + repeats):
        for name, (denoiser, inputs) in denoisers.items():
            seconds = _one_pass(denoiser, inputs)
            if repeat >= warmup:
                taken[name].append(seconds)
    return taken


def _one_pass(denoiser: nn.Module, inputs: dict[str, Tensor]) -> float:
    on_gpu = any(value.is_cuda for value in inputs.values())
    if on_gpu:
        torch.cuda.synchronize()
    began = time.perf_counter()
    denoiser(**inputs)
    if on_gpu:
        torch.cuda.synchronize()
    return time.perf_counter() - began
