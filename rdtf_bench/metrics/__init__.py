"""Frechet video distance, FAST-VQA and CLIP similarity as torchmetrics metrics, one module each.

The package imports core and assets alone. It hands out the names of `__all__` and the metric modules
that a protocol names. Each name is imported on its first use, so that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rdtf_bench.metrics.clip import ClipSimilarity
    from rdtf_bench.metrics.features.clip_networks import load_i3d
    from rdtf_bench.metrics.frechet import frechet_distance, frechet_infinity, split_half_distance
    from rdtf_bench.metrics.fvd import FrechetVideoDistance
    from rdtf_bench.metrics.kernel import kernel_distance
    from rdtf_bench.metrics.reference import cached_features
    from rdtf_bench.metrics.vqa import FastVQA

__all__ = [
    "ClipSimilarity",
    "FastVQA",
    "FrechetVideoDistance",
    "cached_features",
    "frechet_distance",
    "frechet_infinity",
    "kernel_distance",
    "load_i3d",
    "split_half_distance",
]

_MODULES = {
    "ClipSimilarity": "rdtf_bench.metrics.clip",
    "FastVQA": "rdtf_bench.metrics.vqa",
    "FrechetVideoDistance": "rdtf_bench.metrics.fvd",
    "cached_features": "rdtf_bench.metrics.reference",
    "frechet_distance": "rdtf_bench.metrics.frechet",
    "frechet_infinity": "rdtf_bench.metrics.frechet",
    "kernel_distance": "rdtf_bench.metrics.kernel",
    "load_i3d": "rdtf_bench.metrics.features.clip_networks",
    "split_half_distance": "rdtf_bench.metrics.frechet",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
