"""A cell's training part -> weights in the store, or what the store has of them. Resumes from its last checkpoint."""

import dataclasses
import json
import resource
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError

from rdtf_bench import catalog
from rdtf_bench.core.errors import ProtocolError
from rdtf_bench.core.method import Method, Training, TrainingClips
from rdtf_bench.core.store import Store, write_text
from rdtf_bench.run.progress import Report
from rdtf_bench.run.table.finished import read_log
from rdtf_bench.spec.plan import Cell


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
            typed_config("method", cell.method, cell.fit["options"], f"row {cell.label!r}")


def build(fit: Mapping[str, Any], assets: Mapping[str, Path], device: torch.device) -> Method:
    module = catalog.load("method", fit["method"])
    config = typed_config("method", fit["method"], fit["options"], f"method {fit['method']}")
    wanted = {role: assets[role] for role in fit["assets"]}
    method: Method = module.build(config, assets=wanted, device=device)
    return method


def fitted(
    fit: Mapping[str, Any],
    key: str,
    clips: TrainingClips,
    *,
    store: Store,
    assets: Mapping[str, Path],
    device: torch.device,
    report: Report,
) -> Method:
    """The method with this fit's weights, trained now if the store does not have them."""
    method = build(fit, assets, device)
    if not store.has("fit", key):
        _train(method, fit, key, clips, store=store, report=report)
        # the weights as stored, so that what follows does not depend on whether they were trained just now
        method = build(fit, assets, device)
    method.load(store.path("fit", key) / "weights")
    return method


def _train(
    method: Method, fit: Mapping[str, Any], key: str, clips: TrainingClips, *, store: Store, report: Report
) -> None:
    folder = store.unfinished("fit", key)
    checkpoints, weights = folder / "checkpoints", folder / "weights"
    checkpoints.mkdir(exist_ok=True)
    training = Training(**fit["training"])
    log = _Log(folder / "log.jsonl", training.num_steps, report)
    method.fit(clips, training, folder=checkpoints, on_step=log.add)
    log.close()
    shutil.rmtree(weights, ignore_errors=True)
    weights.mkdir()
    method.save(weights)
    shutil.rmtree(checkpoints)
    facts = {
        "identity": dict(fit),
        "seconds": round(log.seconds(), 3),
        "components": method.parameter_counts(),
        "peak_memory_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 3),
    }
    write_text(folder / "fit.json", json.dumps(facts, indent=1, sort_keys=True) + "\n")
    store.finish("fit", key)


class _Log:
    """Appends a line a step; `elapsed_s` counts the time of all tries."""

    def __init__(self, path: Path, num_steps: int, report: Report) -> None:
        self._path = path
        self._before_s = read_log(path)[-1]["elapsed_s"] if path.is_file() and path.stat().st_size else 0.0
        self._file = path.open("a", encoding="utf-8")
        self._began_s = time.monotonic()
        self._num_steps = num_steps
        self._report = report

    def add(self, step: int, measured: dict[str, float]) -> None:
        row = {"step": step, "elapsed_s": round(self.seconds(), 3), **measured}
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()
        self._report.advance(step + 1, self._num_steps)

    def seconds(self) -> float:
        return self._before_s + time.monotonic() - self._began_s

    def close(self) -> None:
        self._file.close()
