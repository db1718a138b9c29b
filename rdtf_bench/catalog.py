"""Every name a protocol may use, and where it lives. One line here is how a thing becomes part of the suite.

Targets are strings, so that listing or checking imports neither torch nor any model.
"""

import ast
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from rdtf_bench.core.errors import UnknownNameError, unknown_name

METHODS = {
    "rdtf": "rdtf_bench.models.rdtf.method",
    "i2v_adapter": "rdtf_bench.baselines.i2v_adapter",
    "simda": "rdtf_bench.baselines.simda",
    "customize_a_video": "rdtf_bench.baselines.customize_a_video",
}
CONTROLS = {name: "rdtf_bench.baselines.controls" for name in ("static", "autoencoder", "noise_floor")}
DATASETS = {"asg": "rdtf_bench.data.asg"}
METRICS = {
    "fvd": "rdtf_bench.metrics.fvd",
    "vqa": "rdtf_bench.metrics.vqa",
    "clip": "rdtf_bench.metrics.clip",
    "params": "rdtf_bench.metrics.params",
    "seconds": "rdtf_bench.metrics.seconds",
}
FEATURES = {  # of frames, by the name of the asset they look through
    "efficientnet_lite0": "rdtf_bench.metrics.features.efficientnet",
    "vgg16": "rdtf_bench.metrics.features.vgg16",
}
# What lives in models/ and baselines/, which the harness must not import.
RECIPES = {"toy": "rdtf_bench.models.toy.build"}
HUBS = {"i2vgen-xl": "rdtf_bench.baselines.i2vgen_xl.hub"}
PIPELINES = {"rdtf": "rdtf_bench.models.rdtf.pipeline"}

KINDS = {
    "method": METHODS,
    "control": CONTROLS,
    "dataset": DATASETS,
    "metric": METRICS,
    "feature": FEATURES,
    "recipe": RECIPES,
    "hub": HUBS,
    "pipeline": PIPELINES,
}


def names(kind: str) -> list[str]:
    return sorted({*KINDS[kind], *_theirs(kind)})


def target(kind: str, name: str) -> str:
    found = {**_theirs(kind), **KINDS[kind]}
    if name not in found:
        raise unknown_name(kind, name, found)
    return found[name]


def load(kind: str, name: str) -> ModuleType:
    """Import the module behind a name. An ImportError inside it is not caught: it is the answer."""
    return import_module(target(kind, name))


@cache
def constants(kind: str, name: str) -> dict[str, Any]:
    """The literal constants at the top of the module (VERSION, LABEL, ASSETS ...), read without running it."""
    module = target(kind, name)
    spec = find_spec(module)
    if spec is None or spec.origin is None:
        raise UnknownNameError(f"{kind} {name!r} is said to live in {module}, which cannot be found.")
    found: dict[str, Any] = {}
    for statement in ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body:
        if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
            assigned = statement.targets[0]
            if isinstance(assigned, ast.Name) and assigned.id.isupper():
                try:
                    found[assigned.id] = ast.literal_eval(statement.value)
                except ValueError:
                    continue  # computed, so not a fact to be read from outside
    return found


def summary(kind: str, name: str) -> str:
    """The first line of the module's docstring."""
    spec = find_spec(target(kind, name))
    assert spec is not None
    assert spec.origin is not None
    text = ast.get_docstring(ast.parse(Path(spec.origin).read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0]


@cache
def _theirs(kind: str) -> dict[str, str]:
    """What other installed packages add: entry points of the group rdtf_bench.<kind>s."""
    return {entry.name: entry.value for entry in entry_points(group=f"rdtf_bench.{kind}s")}
