"""Every name that a protocol may use, and the module behind it. A line here makes a module part of the suite.

Modules are named by strings, so that listing names and checking protocols imports neither torch nor any model. Other
installed packages add names by entry points of the groups `rdtf_bench.methods`, `rdtf_bench.metrics` and so on.
"""

import ast
import symtable
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from rdtf_bench.core.errors import ProtocolError, UnknownNameError, unknown_name

METHODS = {
    "rdtf": "rdtf_bench.models.rdtf.method",
    "i2v_adapter": "rdtf_bench.baselines.i2v_adapter",
    "simda": "rdtf_bench.baselines.simda",
    "customize_a_video": "rdtf_bench.baselines.customize_a_video",
    "video_unet": "rdtf_bench.baselines.video_unet",
}
CONTROLS = {name: "rdtf_bench.baselines.controls" for name in ("static", "autoencoder", "real", "other_real_clips")}
DATASETS = {
    "asg": "rdtf_bench.data.asg",
    "nuscenes": "rdtf_bench.data.nuscenes",
    "ophnet": "rdtf_bench.data.ophnet",
}
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
COURSES = {"rdtf": "rdtf_bench.models.rdtf.course"}  # what a method's curriculum draws over a training

KINDS = {
    "method": METHODS,
    "control": CONTROLS,
    "dataset": DATASETS,
    "metric": METRICS,
    "feature": FEATURES,
    "recipe": RECIPES,
    "hub": HUBS,
    "pipeline": PIPELINES,
    "course": COURSES,
}

REQUIRED = {  # what a module of each kind must define; the contracts are in core/method.py and core/metric.py
    "method": ("VERSION", "ASSETS", "Config", "build"),
    "control": ("VERSION", "SUMMARIES"),
    "metric": ("LABEL", "UNIT", "HIGHER_IS_BETTER", "VERSION", "USES"),
}


def names(kind: str) -> list[str]:
    """Return the known names of a kind, sorted."""
    return sorted({*KINDS[kind], *_theirs(kind)})


def target(kind: str, name: str) -> str:
    """Return the module behind a name as a string. Raises UnknownNameError."""
    found = {**_theirs(kind), **KINDS[kind]}
    if name not in found:
        raise unknown_name(kind, name, found)
    return found[name]


def load(kind: str, name: str) -> ModuleType:
    """Import the module behind a name. An ImportError in that module is not caught."""
    return import_module(target(kind, name))


@cache
def constants(kind: str, name: str) -> dict[str, Any]:
    """Return the literal upper-case constants of the module (VERSION, LABEL, ASSETS ...) without importing it.

    Raises ProtocolError if the module lacks anything that its kind requires.
    """
    source = _source(kind, name)
    found: dict[str, Any] = {}
    for statement in ast.parse(source).body:
        assigned, value = _assignment(statement)
        if isinstance(assigned, ast.Name) and assigned.id.isupper() and value is not None:
            try:
                found[assigned.id] = ast.literal_eval(value)
            except ValueError:
                continue  # a computed constant cannot be read without running the module
    _require_contract(kind, name, source, found)
    return found


def summary(kind: str, name: str) -> str:
    """Return the first line of the module's docstring; of control rows, which share a module, their own summary."""
    if kind == "control":
        return str(constants(kind, name)["SUMMARIES"][name])
    text = ast.get_docstring(ast.parse(_source(kind, name))) or ""
    return text.partition("\n")[0]


def _source(kind: str, name: str) -> str:
    module = target(kind, name)
    try:
        spec = find_spec(module)
    except ModuleNotFoundError:  # the package that should hold the module is absent
        spec = None
    if spec is None or spec.origin is None:
        raise UnknownNameError(f"{kind} {name!r} is registered as the module {module}, which cannot be found.")
    return Path(spec.origin).read_text(encoding="utf-8")


def _assignment(statement: ast.stmt) -> tuple[ast.expr | None, ast.expr | None]:
    """Return target and value of `NAME = value` and of `NAME: type = value`."""
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        return statement.targets[0], statement.value
    if isinstance(statement, ast.AnnAssign):
        return statement.target, statement.value
    return None, None


def _require_contract(kind: str, name: str, source: str, literals: dict[str, Any]) -> None:
    required = REQUIRED.get(kind, ())
    module = target(kind, name)
    symbols = symtable.symtable(source, module, "exec").get_symbols()
    defined = {symbol.get_name() for symbol in symbols if symbol.is_assigned() or symbol.is_imported()}
    faults = []
    if missing := [part for part in required if part not in defined]:
        faults.append(f"it does not define {', '.join(missing)}")
    if computed := [part for part in required if part in defined and part.isupper() and part not in literals]:
        faults.append(f"{', '.join(computed)} must be written as a literal, because the module is not run to read it")
    if faults:
        raise ProtocolError(
            f"{kind} {name!r}: its module {module} does not meet the contract of a {kind}: {'; '.join(faults)}. "
            f"A {kind} module defines {', '.join(required)}: see rdtf_bench/core/{kind}.py."
        )


@cache
def _theirs(kind: str) -> dict[str, str]:
    """Return the names that other installed packages add: entry points of the group rdtf_bench.<kind>s."""
    return {entry.name: entry.value for entry in entry_points(group=f"rdtf_bench.{kind}s")}
