"""Which networks `rdtf-bench score` looks through: the official ones where they are present, else the embedded ones."""

from collections.abc import Sequence

from rdtf_bench import catalog
from rdtf_bench.assets import registry
from rdtf_bench.assets.official import OFFICIAL
from rdtf_bench.run.protocols import load_scale
from rdtf_bench.spec.plan import asset_roles
from rdtf_bench.spec.scale import Scale

OFFICIAL_AT = "paper"
"""The scale that names the official network of each metric, and its options."""


def with_present(embedded: Scale, metrics: Sequence[str]) -> Scale:
    """Return the scale with the official networks and options of each metric whose official networks are present."""
    official = load_scale(OFFICIAL_AT)
    options, assets = dict(embedded.metrics), dict(embedded.assets)
    for metric in metrics:
        wanted = _networks(official, metric)
        if _are_official(wanted) and not any(registry.find(name).absent() for name in wanted.values()):
            options[metric] = official.metrics.get(metric, {})
            assets |= wanted
    return embedded.model_copy(update={"metrics": options, "assets": assets})


def warning(scale: Scale, metrics: Sequence[str]) -> str | None:
    """Say which values cannot be compared with published ones and how to get the official networks; None if all can."""
    official = {metric: _networks(load_scale(OFFICIAL_AT), metric) for metric in metrics}
    other = [
        metric for metric in metrics if _are_official(official[metric]) and not _are_official(_networks(scale, metric))
    ]
    if not other:
        return None
    labels = ", ".join(catalog.constants("metric", metric)["LABEL"] for metric in other)
    names = " ".join(name for metric in other for name in official[metric].values() if name in OFFICIAL)
    return (
        f"{labels}: these values cannot be compared with published FVD, FAST-VQA or CLIP, which look through other "
        f"networks. Get those with `rdtf-bench assets fetch {names}`, or name your copies with `rdtf-bench assets add "
        "NAME PATH`."
    )


def _networks(scale: Scale, metric: str) -> dict[str, str]:
    """Return the assets that a metric looks through at a scale, by role."""
    roles = asset_roles(catalog.constants("metric", metric), scale.metrics.get(metric, {}))
    return {role: scale.assets[role] for role in roles if role in scale.assets}


def _are_official(networks: dict[str, str]) -> bool:
    return not OFFICIAL.keys().isdisjoint(networks.values())
