"""From the names and options of a protocol to objects: methods, metrics and the device they stand on."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError

from rdtf_bench import catalog
from rdtf_bench.core.errors import ProtocolError
from rdtf_bench.core.method import Method
from rdtf_bench.core.metric import Metric
from rdtf_bench.spec.identities import FitIdentity, MetricIdentity
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.schema import Scale


def typed_config(kind: str, name: str, options: Mapping[str, Any], where: str) -> Any:
    """The module's own Config from a protocol's options, every unknown or ill-typed one named."""
    config = catalog.load(kind, name).Config
    allowed = {field.name for field in dataclasses.fields(config)}
    if stray := sorted(set(options) - allowed):
        raise ProtocolError(f"{where}: {name} has no option {stray}; it has {sorted(allowed)}")
    try:
        # through JSON: strict mode then still takes a list for a tuple
        return TypeAdapter(config).validate_json(json.dumps(dict(options)), strict=True)
    except ProtocolError as e:  # what the Config itself refuses
        raise ProtocolError(f"{where}: {e}") from None
    except ValidationError as e:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in e.errors())
        raise ProtocolError(f"{where}: options of {name}: {faults}") from None


def check_options(cells: Sequence[Cell]) -> None:
    """ProtocolError for the first row whose options its method does not have."""
    for cell in cells:
        if cell.fit is not None:
            typed_config("method", cell.method, cell.fit.options, f"row {cell.label!r}")


def build(fit: FitIdentity, assets: Mapping[str, Path], device: torch.device) -> Method:
    module = catalog.load("method", fit.method)
    config = typed_config("method", fit.method, fit.options, f"method {fit.method}")
    wanted = {role: assets[role] for role in fit.assets}
    method: Method = module.build(config, assets=wanted, device=device)
    return method


def build_metric(identity: MetricIdentity, assets: Mapping[str, Path], device: torch.device) -> Metric:
    name = identity.metric
    config = typed_config("metric", name, identity.options, f"metric {name}")
    wanted = {role: assets[role] for role in identity.assets}
    metric: Metric = catalog.load("metric", name).build(config, assets=wanted, device=device)
    return metric


def device_of(scale: Scale) -> torch.device:
    """ProtocolError where this machine has none of the kind."""
    if scale.device == "cuda" and not torch.cuda.is_available():
        raise ProtocolError(
            f"scale {scale.name} runs on a CUDA device and this machine has none. Take one that does not: --scale tiny"
        )
    return torch.device(scale.device)
