"""Trains the method of a row into the store, or loads its weights. Resumes from the last checkpoint."""

import json
import shutil
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path

import torch
from accelerate import PartialState
from safetensors import safe_open
from safetensors.torch import save_file

from rdtf_bench.core.errors import DivergedError
from rdtf_bench.core.method import Method, Training, TrainingClips
from rdtf_bench.core.store import Store, flush, write_text
from rdtf_bench.run import environment, stopping
from rdtf_bench.run.build.modules import build
from rdtf_bench.run.progress import Report
from rdtf_bench.run.table.finished import FACTS, LOG, cut_unfinished_line, last_row, weights_of
from rdtf_bench.spec.identities import FitIdentity


def fitted(fit: FitIdentity, *, store: Store, assets: Mapping[str, Path], device: torch.device) -> Method:
    """Return the method with the weights that the store holds.

    They are always loaded, so that samples do not depend on where the training happened. Raises DivergedError where the
    training has left none.
    """
    weights = weights_of(store, fit)
    method = build(fit, assets, device)
    method.load(weights)
    return method


def train(
    fit: FitIdentity,
    clips: TrainingClips,
    *,
    store: Store,
    assets: Mapping[str, Path],
    device: torch.device,
    report: Report,
    shard_weights: bool = False,
) -> None:
    """Train a method; write its weights, log and facts into the store. A training that diverges leaves no weights.

    Of processes that train together, the first one alone writes.
    """
    state = PartialState(cpu=device.type == "cpu")
    folder = store.unfinished("fit", fit.key)
    checkpoints, weights = folder / "checkpoints", folder / "weights"
    if (folder / FACTS).is_file():  # an earlier attempt was killed after its last step
        state.wait_for_everyone()
        if state.is_main_process:
            _finish(fit, store)
        return
    method = build(fit, assets, device)
    checkpoints.mkdir(exist_ok=True)
    training = Training(**fit.training.model_dump(), shard_weights=shard_weights)
    if not state.is_main_process:
        stopping.ignore()  # the first process ends the training, at the end of a step
        with suppress(DivergedError):
            method.fit(clips, training, folder=checkpoints, on_step=lambda *_: None)
        state.wait_for_everyone()
        return
    with stopping.after_step() as check, closing(TrainingLog(folder / LOG, training.num_steps, report)) as log:

        def on_step(step: int, measured: Mapping[str, float]) -> None:
            log.add(step, measured)
            check()

        try:
            method.fit(clips, training, folder=checkpoints, on_step=on_step)
        except DivergedError:
            diverged = {"diverged_at_step": log.next_step}
        else:
            diverged = {}
    shutil.rmtree(weights, ignore_errors=True)
    if not diverged:
        weights.mkdir()
        method.save(weights)
        if training.weights == "float16":
            _round_to_half(weights)
        flush(weights)  # the facts say that the weights are whole
    state.wait_for_everyone()  # nobody reads a checkpoint any more
    facts = {
        "identity": fit.as_dict(),
        "seconds": round(log.seconds(), 3),
        "components": method.parameter_counts(),
        "peak_memory_gib": round(environment.peak_memory_gib(), 3),
        "num_processes": state.num_processes,
        "weights_sharded": shard_weights,
        "commit": environment.commit()["commit"],
        **diverged,
    }
    write_text(folder / FACTS, json.dumps(facts, indent=1, sort_keys=True) + "\n")
    _finish(fit, store)


def _finish(fit: FitIdentity, store: Store) -> None:
    """Make the weights, log and facts of a training that has ended an entry of the store."""
    shutil.rmtree(store.unfinished("fit", fit.key) / "checkpoints", ignore_errors=True)
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
        cut_unfinished_line(path)
        last = last_row(path) or {"step": -1, "elapsed_s": 0.0}
        self._before_s = last["elapsed_s"]
        self.next_step = int(last["step"]) + 1
        self._file = path.open("a", encoding="utf-8")
        self._began_s = time.monotonic()
        self._num_steps = num_steps
        self._report = report

    def add(self, step: int, measured: Mapping[str, float]) -> None:
        """Write the values of a finished step and advance the progress."""
        row = {"step": step, "elapsed_s": round(self.seconds(), 3), **measured}
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()
        self.next_step = step + 1
        self._report.advance(step + 1, self._num_steps)

    def seconds(self) -> float:
        """Return how long the training has run, in seconds, interrupted runs included."""
        return self._before_s + time.monotonic() - self._began_s

    def close(self) -> None:
        """Close the file."""
        self._file.close()
