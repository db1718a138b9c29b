"""Trains the method of a row into the store, or loads its weights. Resumes from the last checkpoint."""

import json
import shutil
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from rdtf_bench.core.method import Method, Training, TrainingClips
from rdtf_bench.core.store import Store, write_text
from rdtf_bench.run import environment
from rdtf_bench.run.build.modules import build
from rdtf_bench.run.progress import Report
from rdtf_bench.run.table.finished import read_log
from rdtf_bench.spec.identities import FitIdentity


def fitted(
    fit: FitIdentity,
    clips: TrainingClips,
    *,
    store: Store,
    assets: Mapping[str, Path],
    device: torch.device,
    report: Report,
) -> Method:
    """Return the method with its trained weights; train it first where the store has none."""
    method = build(fit, assets, device)
    if not store.has("fit", fit.key):
        _train(method, fit, clips, store=store, report=report)
        # load the stored weights, so that samples do not depend on whether training happened in this process
        method = build(fit, assets, device)
    method.load(store.path("fit", fit.key) / "weights")
    return method


def _train(method: Method, fit: FitIdentity, clips: TrainingClips, *, store: Store, report: Report) -> None:
    """Train a method and write weights, log and facts into the store."""
    folder = store.unfinished("fit", fit.key)
    checkpoints, weights = folder / "checkpoints", folder / "weights"
    checkpoints.mkdir(exist_ok=True)
    training = Training(**fit.training.model_dump())
    with closing(TrainingLog(folder / "log.jsonl", training.num_steps, report)) as log:
        method.fit(clips, training, folder=checkpoints, on_step=log.add)
    shutil.rmtree(weights, ignore_errors=True)
    weights.mkdir()
    method.save(weights)
    if training.weights == "float16":
        _round_to_half(weights)
    shutil.rmtree(checkpoints)
    facts = {
        "identity": fit.as_dict(),
        "seconds": round(log.seconds(), 3),
        "components": method.parameter_counts(),
        "peak_memory_gib": round(environment.peak_memory_gib(), 3),
    }
    write_text(folder / "fit.json", json.dumps(facts, indent=1, sort_keys=True) + "\n")
    store.finish("fit", fit.key)


def _round_to_half(folder: Path) -> None:
    """Store the float32 tensors of every safetensors file in half precision; methods load them as float32."""
    for path in sorted(folder.rglob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (a file is no mapping)
        rounded = {name: tensor.half() if tensor.dtype == torch.float32 else tensor for name, tensor in tensors.items()}
        save_file(rounded, path, metadata)


class TrainingLog:
    """Log of a training: one line per step. `elapsed_s` sums the time of all attempts."""

    def __init__(self, path: Path, num_steps: int, report: Report) -> None:
        self._path = path
        self._before_s = read_log(path)[-1]["elapsed_s"] if path.is_file() and path.stat().st_size else 0.0
        self._file = path.open("a", encoding="utf-8")
        self._began_s = time.monotonic()
        self._num_steps = num_steps
        self._report = report

    def add(self, step: int, measured: Mapping[str, float]) -> None:
        row = {"step": step, "elapsed_s": round(self.seconds(), 3), **measured}
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()
        self._report.advance(step + 1, self._num_steps)

    def seconds(self) -> float:
        return self._before_s + time.monotonic() - self._began_s

    def close(self) -> None:
        self._file.close()
