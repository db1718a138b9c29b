"""Loads metrics as a scale configures them, without a table. Verifies their networks first."""

from collections.abc import Sequence
from dataclasses import dataclass

from rdtf_bench import catalog
from rdtf_bench.assets import registry
from rdtf_bench.core.metric import Metric
from rdtf_bench.run.build.modules import build_metric, device_of
from rdtf_bench.spec.identities import MetricIdentity
from rdtf_bench.spec.plan import asset_roles
from rdtf_bench.spec.scale import Scale


@dataclass(frozen=True, kw_only=True)
class Instrument:
    """A metric that is ready to use, and its identity."""

    identity: MetricIdentity  # what decides its observations besides the clips
    metric: Metric


def load(scale: Scale, names: Sequence[str]) -> dict[str, Instrument]:
    """Return the named metrics; AssetError where a network is missing or altered."""
    roles = {name: _roles(name, scale) for name in names}
    wanted = {role: scale.asset(role, name) for name in names for role in roles[name]}
    found = dict(zip(wanted, registry.ready(wanted.values()), strict=True))
    places = {role: asset.path for role, asset in found.items()}
    device = device_of(scale)
    loaded = {}
    for name in names:
        identity = MetricIdentity(
            metric=name,
            version=catalog.constants("metric", name)["VERSION"],
            options=dict(scale.metrics.get(name, {})),
            assets={role: found[role].digest for role in roles[name]},
        )
        loaded[name] = Instrument(identity=identity, metric=build_metric(identity, places, device))
    return loaded


def _roles(name: str, scale: Scale) -> list[str]:
    return asset_roles(catalog.constants("metric", name), scale.metrics.get(name, {}))
