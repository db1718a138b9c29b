"""Count a method's parameters at a scale on the meta device, from configurations alone. No weights are needed."""

from types import ModuleType
from typing import Any

from rdtf_bench import catalog
from rdtf_bench.assets import registry
from rdtf_bench.core.errors import ProtocolError
from rdtf_bench.run.build.modules import typed_config
from rdtf_bench.spec.plan import asset_roles
from rdtf_bench.spec.schema import Options, Scale


def parameter_counts(method: str, scale: Scale, options: Options | None = None) -> dict[str, int]:
    """Count `base`, `trainable` and `total` of the denoiser, then other components; `options` change the scale's."""
    module, config, configs = configured(method, scale, options or {})
    counts: dict[str, int] = module.parameter_counts(config, configs)
    return counts


def configured(method: str, scale: Scale, options: Options) -> tuple[ModuleType, Any, dict[str, Any]]:
    """Return a method's module, its Config, and the configuration of each network that it needs, by role."""
    module = catalog.load("method", method)
    if method not in scale.methods:
        raise ProtocolError(f"scale {scale.name}: methods has no {method!r}; it has {sorted(scale.methods)}")
    given = {**scale.methods[method].options, **options}
    config = typed_config("method", method, given, f"{method} at scale {scale.name}")
    roles = asset_roles(catalog.constants("method", method), given)
    return module, config, {role: registry.find(scale.assets[role]).config() for role in roles}
