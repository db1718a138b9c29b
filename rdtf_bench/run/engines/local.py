"""Runs the jobs of a table in worker processes on this machine. No torch in the parent."""

import multiprocessing
import os
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.managers import SyncManager
from multiprocessing.sharedctypes import Synchronized
from typing import Protocol, runtime_checkable

from rich.console import Console

from rdtf_bench.core.errors import DeviceError, Stopped
from rdtf_bench.core.leases import LOOK_S, Leases
from rdtf_bench.run import environment, process, stopping
from rdtf_bench.run.engines import devices
from rdtf_bench.run.engines.turns import Turns
from rdtf_bench.run.progress import Display, Event, Silent, Sink
from rdtf_bench.run.table import worker
from rdtf_bench.run.table.context import Bench
from rdtf_bench.run.table.schedule import Job, cells_to_check

_sink: Sink = Silent()
"""Sink that the jobs of this worker process report their progress to."""


@runtime_checkable
class _Events(Protocol):
    """Queue of progress events between processes; None ends it."""

    def put(self, event: Event | None) -> None: ...
    def get(self) -> Event | None: ...


class LocalEngine:
    """Runs as many jobs at once as the scale has workers, each in a process of its own."""

    def run(self, jobs: Sequence[Job], bench: Bench, console: Console, *, leases: Leases, quiet: bool) -> float:
        """Run all jobs and return the peak memory of the parent and the workers together, in GiB."""
        if not jobs:
            return environment.peak_memory_gib()
        threads = bench.scale.threads_per_worker
        os.environ.update(process.environment(threads))
        context = multiprocessing.get_context("spawn")
        expected_s = {job.name: job.expected_s for job in jobs}
        manager = SyncManager(ctx=context)
        manager.start(_start_queue)
        with manager, Display(console, expected_s, quiet=quiet, workers=bench.scale.workers) as display:
            events: _Events = manager.Queue()
            listener = threading.Thread(target=_listen, args=(events, display), daemon=True)
            listener.start()
            started = context.Value("i", 0)
            gpus_each = bench.processes if bench.scale.device == "cuda" else 0
            pool = ProcessPoolExecutor(bench.scale.workers, context, _start, (threads, events, started, gpus_each))
            try:
                _check(jobs, bench, pool)
                peaks_gib = _schedule(jobs, bench, pool, leases, display)
            except BrokenProcessPool as fault:
                raise _died(bench) from fault
            except BaseException:
                for child in list((pool._processes or {}).values()):
                    child.terminate()
                raise
            finally:
                pool.shutdown(cancel_futures=True)
                events.put(None)
                listener.join(timeout=5)
        return environment.peak_memory_gib() + sum(peaks_gib.values())


def _check(jobs: Sequence[Job], bench: Bench, pool: Executor) -> None:
    """Check the device and the options of every row before any work, so that a fault stops the run at its start."""
    pool.submit(_call, "check", bench, "device and options", {"cells": cells_to_check(jobs)}).result()


def _died(bench: Bench) -> DeviceError:
    return DeviceError(
        "a worker process ended without a word, as happens when the memory of the machine is full. What is finished is "
        f"kept, and the same command continues. Give a number below {bench.scale.workers} to --workers, or the scale a "
        "smaller training.micro_batch_size, training.batch_size or sampling.batch_size."
    )


def _schedule(jobs: Sequence[Job], bench: Bench, pool: Executor, leases: Leases, display: Display) -> dict[int, float]:
    """Run every job and return the peak memory of each worker in GiB by process id."""
    turns = Turns(jobs, leases, display.note)
    running: dict[Future[tuple[int, float]], Job] = {}
    peaks_gib: dict[int, float] = {}
    while turns.are_left or running:
        for job in turns.next(bench.scale.workers - len(running)):
            running[pool.submit(_call, job.function, bench, job.name, job.arguments)] = job
        if not running:
            time.sleep(LOOK_S)
            continue
        finished, _ = wait(running, LOOK_S if turns.others_work else None, FIRST_COMPLETED)
        for future in finished:
            job = running.pop(future)
            pid, memory_gib = future.result()
            peaks_gib[pid] = max(memory_gib, peaks_gib.get(pid, 0.0))
            turns.finished(job)
            display.finished(job.name)
    return peaks_gib


def _listen(events: _Events, display: Display) -> None:
    """Show the workers' events until None comes."""
    while (event := events.get()) is not None:
        display.put(event)


def _start_queue() -> None:
    """Make this process that of the queue. Signals are for the run, and it ends with the run."""
    stopping.ignore()
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()


def _start(threads: int, sink: Sink, started: "Synchronized[int]", gpus_each: int) -> None:
    """Make this process a worker with GPUs of its own, if there are any. Runs once in each new process."""
    global _sink
    _sink = sink
    if gpus_each:
        with started.get_lock():
            number, started.value = started.value, started.value + 1
        devices.take(number, gpus_each)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    stopping.ignore_in_worker()
    process.prepare(threads)


def _call(function: str, bench: Bench, job: str, arguments: Mapping[str, object]) -> tuple[int, float]:
    """Run one job in this worker and return the id of this process and its peak memory in GiB."""
    try:
        worker.call(function, bench, _sink, job, arguments)
    except Stopped as stopped:
        os._exit(stopped.exit_status)  # the driver ends the pool, and this process must not wait for another job
    return os.getpid(), environment.peak_memory_gib()


def _end_with(parent: int) -> None:
    """End this process when its parent process is gone, because a killed parent cannot end it.

    The store keeps the results of finished jobs.
    """
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)
