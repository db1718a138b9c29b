"""Count a method's parameters at a scale on the meta device, from configurations alone. No weights are needed."""

from collections.abc import Sequence
from types import ModuleType
from typing import Any

from rdtf_bench import catalog
from rdtf_bench.assets import registry
from rdtf_bench.core.errors import ProtocolError
from rdtf_bench.core.method import Configs
from rdtf_bench.run.build.modules import typed_config
from rdtf_bench.run.protocols import at_scale
from rdtf_bench.spec.plan import asset_roles
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import Options

COST_FUNCTIONS = ("parameter_counts", "denoiser_on_meta", "denoiser_inputs")


def parameter_counts(method: str, scale: Scale, options: Options | None = None) -> dict[str, int]:
    """Return `base`, `trainable` and `total` of the denoiser, then the other components by name.

    `options` override those of the scale.
    """
    module, config, configs = configured(method, scale, options or {}, functions=("parameter_counts",))
    counts: dict[str, int] = module.parameter_counts(config, configs)
    return counts


def configured(
    method: str, scale: Scale, options: Options, *, functions: Sequence[str] = COST_FUNCTIONS
) -> tuple[ModuleType, Any, Configs]:
    """Return the module of a method, its Config, and the configuration of each frozen network by role.

    Raises ProtocolError if the module lacks one of the cost `functions`, which are optional in a plug-in.
    """
    facts = catalog.constants("method", method)
    module = catalog.load("method", method)
    if missing := [name for name in functions if not hasattr(module, name)]:
        raise ProtocolError(
            f"method {method!r} cannot be measured without weights: its module {module.__name__} does not define "
            f"{', '.join(missing)} (optional; see MethodWithCosts in rdtf_bench/core/method.py). It can still be "
            f"trained and scored, its parameters and seconds included: rdtf-bench run table1 --scale {scale.name} "
            f"--method {method}"
        )
    given = {**at_scale(method, scale).options, **options}
    config = typed_config("method", method, given, f"{method} at scale {scale.name}")
    configs = {role: registry.find(scale.asset(role, method)).config() for role in asset_roles(facts, given)}
    return module, config, configs
