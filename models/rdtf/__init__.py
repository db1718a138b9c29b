"""RDTF (arXiv 2503.17735): the discrete frame generation network, the dual mask and the curriculum.

This package may import `core`, `data`, `diffusion` and `models.frozen`. It hands out the network, its STI layer and the
diffusers pipeline; the harness loads `method` by name.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rdtf_bench.models.rdtf.dfgn import DFGN, PRESETS
    from rdtf_bench.models.rdtf.pipeline import RDTFPipeline
    from rdtf_bench.models.rdtf.sti import STI

__all__ = ["DFGN", "PRESETS", "STI", "RDTFPipeline"]

_HOMES = {
    "DFGN": "rdtf_bench.models.rdtf.dfgn",
    "PRESETS": "rdtf_bench.models.rdtf.dfgn",
    "RDTFPipeline": "rdtf_bench.models.rdtf.pipeline",
    "STI": "rdtf_bench.models.rdtf.sti",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use, because reading a protocol must not load torch."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
