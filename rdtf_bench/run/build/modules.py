"""Builds what a protocol names: typed options, methods, metrics, and the device that they run on."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from rdtf_bench import catalog
from rdtf_bench.core.errors import DeviceError
from rdtf_bench.core.method import Method
from rdtf_bench.core.metric import Metric
from rdtf_bench.spec import options as options_spec
from rdtf_bench.spec.identities import FitIdentity, MetricIdentity
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.scale import Scale


def typed_config(kind: str, name: str, options: Mapping[str, object], where: str) -> Any:
    """Return the Config of a module, made from options; ProtocolError names every unknown or ill-typed option.

    `where` says in messages whose options they are. The type of the result is known to the module alone.
    """
    return options_spec.typed(catalog.load(kind, name).Config, options, name=name, where=where)


def check_options(cells: Sequence[Cell]) -> None:
    """Raise ProtocolError for the first row whose options are wrong for its method."""
    for cell in cells:
        if cell.fit is not None:
            typed_config("method", cell.method, cell.fit.options, f"row {cell.label!r}")


def build(fit: FitIdentity, assets: Mapping[str, Path], device: torch.device) -> Method:
    """Return the method of a training identity, not trained yet."""
    module = catalog.load("method", fit.method)
    config = typed_config("method", fit.method, fit.options, f"method {fit.method}")
    wanted = {role: assets[role] for role in fit.assets}
    method: Method = module.build(config, assets=wanted, device=device)
    return method


def build_metric(identity: MetricIdentity, assets: Mapping[str, Path], device: torch.device) -> Metric:
    """Return the metric of a score identity."""
    name = identity.metric
    config = typed_config("metric", name, identity.options, f"metric {name}")
    wanted = {role: assets[role] for role in identity.assets}
    metric: Metric = catalog.load("metric", name).build(config, assets=wanted, device=device)
    return metric


def device_of(scale: Scale) -> torch.device:
    """Return the device of a scale; DeviceError where torch sees no such device."""
    if scale.device == "cuda" and not torch.cuda.is_available():
        raise DeviceError(
            f"scale {scale.name} runs on a CUDA device, and torch {torch.__version__} sees none here. Choose a scale "
            "for the CPU (--scale tiny); on a machine with a GPU, look at the driver with nvidia-smi."
        )
    return torch.device(scale.device)
