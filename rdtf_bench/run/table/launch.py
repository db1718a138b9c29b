"""Trains one row on several processes that torchrun starts, each with a device of its own.

The number of processes does not decide the weights (diffusion/objective.py), so the entry of the store is that of any
other training of the row. A killed training resumes from its last checkpoint, also on another number of processes.
"""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import PartialState

from rdtf_bench.core.errors import BenchError, StoreError
from rdtf_bench.core.store import Store, written_whole
from rdtf_bench.run import process, stopping
from rdtf_bench.run.inputs.shards import StoredTrainingClips
from rdtf_bench.run.inputs.training_set import TrainingSet
from rdtf_bench.run.progress import Report, Silent
from rdtf_bench.run.table import fit as fitting
from rdtf_bench.run.table.finished import last_row
from rdtf_bench.spec.identities import FitIdentity

REQUEST, FAULT, SAID = "request.pickle", "fault.pickle", "torchrun.log"
POLL_S = 0.5
TO_END_S = 300.0  # a step and a checkpoint of gigabytes; as long as SCALING.md asks Slurm to wait


@dataclass(frozen=True, kw_only=True)
class Request:
    """What every process of a training needs."""

    fit: FitIdentity
    training: TrainingSet
    store: Store
    assets: Mapping[str, Path]
    device: str  # cpu or cuda
    shard_weights: bool
    threads: int
    parent: int  # process whose end ends the training


def train(request: Request, processes: int, report: Report) -> None:
    """Train the row into the store. Raises what the first process raised."""
    folder = request.store.unfinished("fit", request.fit.key)
    with written_whole(folder / REQUEST) as making:
        making.write_bytes(pickle.dumps(request))
    (folder / FAULT).unlink(missing_ok=True)
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    with (folder / SAID).open("w", encoding="utf-8") as said:
        child = subprocess.Popen(
            [sys.executable, *launcher, "-m", __name__, str(folder / REQUEST)],
            stdout=said,
            stderr=subprocess.STDOUT,
            env={**os.environ, **process.environment(request.threads)},
            start_new_session=True,  # a signal for the run is handed on below, once
        )
    try:
        with stopping.after_step() as check:
            while child.poll() is None:
                time.sleep(POLL_S)
                check()
                _report(folder / "log.jsonl", request.fit.training.num_steps, report)
    finally:
        _end(child)
    if not request.store.has("fit", request.fit.key):
        raise _fault(folder, child.returncode)


def _report(log: Path, num_steps: int, report: Report) -> None:
    if (row := last_row(log)) is not None:
        report.advance(int(row["step"]) + 1, num_steps)


def _end(child: "subprocess.Popen[bytes]") -> None:
    """Stop a training that still runs, and every process of it."""
    if child.poll() is not None:
        return
    os.killpg(child.pid, signal.SIGTERM)
    try:
        child.wait(TO_END_S)
    except subprocess.TimeoutExpired:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def _fault(folder: Path, status: int) -> BaseException:
    path = folder / FAULT
    if path.is_file():
        fault: BaseException = pickle.loads(path.read_bytes())
        return fault
    last = (folder / SAID).read_text(encoding="utf-8", errors="replace").strip().splitlines()[-20:]
    return StoreError(
        f"{folder}: the processes that train together ended with status {status}. The end of what they said, the "
        f"rest is in {SAID}:\n" + "\n".join(last)
    )


def _passed_on(fault: Exception) -> Exception:
    """Return what the run raises for the fault of a process. It knows its own errors, and the full memory of a GPU."""
    if isinstance(fault, BenchError | torch.OutOfMemoryError):
        return fault
    return StoreError(f"{type(fault).__name__}: {fault}")


def _end_without(parent: int) -> None:
    """End this process when the one that asked for the training is gone, because a killed process cannot end it."""
    with suppress(ProcessLookupError):
        while True:
            os.kill(parent, 0)  # sends nothing: it asks whether the process exists
            time.sleep(1)
    os._exit(1)


def main(path: Path) -> None:
    """Run one of the processes. The first of them writes the log, the weights and its fault."""
    request: Request = pickle.loads(path.read_bytes())
    threading.Thread(target=_end_without, args=(request.parent,), daemon=True).start()
    process.prepare(request.threads)
    state = PartialState(cpu=request.device == "cpu")
    try:
        fitting.train(
            request.fit,
            StoredTrainingClips(request.store, request.training),
            store=request.store,
            assets=request.assets,
            device=torch.device("cpu") if request.device == "cpu" else state.device,
            shard_weights=request.shard_weights,
            report=Report(Silent(), "", ""),
        )
    except Exception as fault:
        if state.is_main_process:
            (path.parent / FAULT).write_bytes(pickle.dumps(_passed_on(fault)))
        raise


if __name__ == "__main__":
    main(Path(sys.argv[1]))
