"""Wall time of one forward pass of the denoiser at batch size 1 (Table 8, "inference time")."""

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
    """Return the median and its 95 % confidence interval.

    The bounds are order statistics, whose ranks follow from the normal approximation of the binomial distribution.

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
    """Return the seconds of each repeat of every denoiser.

    The denoisers take turns (A B C A B C ...), so that a drift of the machine's speed affects all of them alike.
    """
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
