"""Keeps in the store what the self-test of a scale's metrics found, and warns in tables. Imports no torch."""

import json
from collections.abc import Mapping
from pathlib import Path

from rdtf_bench import catalog
from rdtf_bench.assets import registry
from rdtf_bench.core.store import key_of, write_text
from rdtf_bench.spec.plan import asset_roles
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import Options

METRICS = ("fvd", "vqa", "clip")


def save(root: Path, scale: Scale, faults: Mapping[str, str]) -> None:
    """Write the faults by probe, which are empty where all probes passed."""
    write_text(_path(root, scale), json.dumps({"scale": scale.name, "faults": dict(faults)}, indent=1) + "\n")


def can_be_made(scale: Scale) -> bool:
    """Return whether the networks of all three metrics are present; a table may need fewer."""
    return _has_networks(scale) and not any(registry.find(scale.assets[role]).absent() for role in _roles(scale))


def is_known(root: Path, scale: Scale) -> bool:
    """Return whether the store holds the outcome for these metrics and networks."""
    return _has_networks(scale) and _path(root, scale).is_file()


def warning(root: Path, scale: Scale) -> str | None:
    """Return the warning for a table; None where the self-test passed or did not run with these metrics."""
    if not is_known(root, scale):
        return None
    faults = json.loads(_path(root, scale).read_text(encoding="utf-8"))["faults"]
    if not faults:
        return None
    return (
        f"SELF-TEST FAILED ({', '.join(faults)}): trust no FVD, VQA or CLIP of this table. See: rdtf-bench selftest "
        f"--scale {scale.as_argument}"
    )


def _roles(scale: Scale) -> set[str]:
    return {role for name in METRICS for role in asset_roles(catalog.constants("metric", name), _options(name, scale))}


def _has_networks(scale: Scale) -> bool:
    """Return whether the scale names the networks of all three metrics; one for a table of others need not."""
    return scale.assets.keys() >= _roles(scale)


def _path(root: Path, scale: Scale) -> Path:
    identity = {name: _identity(name, scale) for name in METRICS}
    return root / "selftest" / f"{key_of(identity)}.json"


def _options(name: str, scale: Scale) -> Options:
    return scale.metrics.get(name, {})


def _identity(name: str, scale: Scale) -> dict[str, object]:
    facts, options = catalog.constants("metric", name), _options(name, scale)
    roles = asset_roles(facts, options)
    return {
        "version": facts["VERSION"],
        "options": dict(options),
        "assets": {role: registry.find(scale.assets[role]).digest for role in roles},
    }
