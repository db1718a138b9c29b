"""How large a method is at a scale, counted without weights: on the meta device, from configurations alone."""

from rdtf_bench import catalog
from rdtf_bench.core import assets as registry
from rdtf_bench.core.errors import ProtocolError
from rdtf_bench.run.fit import typed_config
from rdtf_bench.spec.schema import Scale


def sizes(method: str, scale: Scale) -> dict[str, int]:
    """`base`, `trainable` and `total` of the denoiser, then further components by name."""
    module = catalog.load("method", method)
    if method not in scale.methods:
        raise ProtocolError(f"scale {scale.name}: methods has no {method!r}; it has {sorted(scale.methods)}")
    config = typed_config("method", method, scale.methods[method].options, f"scale {scale.name}")
    configs = {role: registry.find(scale.assets[role]).config() for role in module.ASSETS}
    counts: dict[str, int] = module.sizes(config, configs)
    return counts
