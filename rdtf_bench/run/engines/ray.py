"""Runs the jobs of a table on a Ray cluster whose machines share the store. Needs the extra `ray`.

A job that a dead worker or machine leaves behind is started again elsewhere: a training continues from its last
checkpoint in the store, and other jobs start anew. Imports torch and ray only inside functions.
"""

import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from rich.console import Console

from rdtf_bench.core.errors import DeviceError, StoreError
from rdtf_bench.core.leases import LOOK_S, Leases
from rdtf_bench.run import environment, process
from rdtf_bench.run.engines.turns import Turns
from rdtf_bench.run.progress import Display, Event
from rdtf_bench.run.table import worker
from rdtf_bench.run.table.context import Bench
from rdtf_bench.run.table.schedule import Job, cells_to_check

RETRIES = 3
"""How often a job is started again after the death of its worker or machine."""

POLL_S = 0.5
CONNECT_S = 10.0

Ref = Any
"""Reference to the result of a remote job: its process and that process's peak memory in GiB."""


class RayEngine:
    """Runs jobs on the cluster at `address` (HOST:PORT), or on a cluster of this machine alone without one."""

    def __init__(self, address: str | None = None) -> None:
        self._address = address

    def run(self, jobs: Sequence[Job], bench: Bench, console: Console, *, leases: Leases, quiet: bool) -> float:
        """Run all jobs and return the peak memory of the driver and the workers together, in GiB."""
        if not jobs:
            return environment.peak_memory_gib()
        expected_s = {job.name: job.expected_s for job in jobs}
        with (
            _connected(self._address, bench) as ray,
            Display(console, expected_s, quiet=quiet, workers=bench.scale.workers) as display,
            _shown(ray, display) as sink,
        ):
            _require_shared(ray, bench)
            shared = ray.put(bench)  # once, not with every job
            arguments = {"cells": cells_to_check(jobs)}
            check = Job(name="device and options", function="check", arguments=arguments, expected_s=1.0)
            _result(ray, _submit(ray, check, bench, shared, sink), check.name)
            peaks_gib = _schedule(ray, Turns(jobs, leases, display.note), bench, shared, sink, display)
        return environment.peak_memory_gib() + sum(peaks_gib.values())


class Sink:
    """Sends the events of a job to the driver. Progress is not worth waiting for, so no answer is awaited."""

    def __init__(self, queue: Any) -> None:
        self._queue = queue

    def put(self, event: Event) -> None:
        self._queue.actor.put_nowait.remote(event)


@contextmanager
def _connected(address: str | None, bench: Bench) -> Iterator[Any]:
    """Yield the module ray, connected to a cluster; what still runs there is ended with the block."""
    try:
        import ray
    except ImportError:
        raise DeviceError('--engine ray needs Ray: pip install "rdtf-bench[ray]" on every machine.') from None
    cpus = bench.scale.workers * bench.scale.threads_per_worker
    local: dict[str, object] = {} if address else {"num_cpus": cpus, "include_dashboard": False}
    if address:
        _require_listening(address)
    on_stop = signal.getsignal(signal.SIGTERM)
    ray.init(address=address, log_to_driver=False, logging_level="error", configure_logging=False, **local)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, on_stop)  # Ray takes the signal for itself
    try:
        yield ray
    finally:
        ray.shutdown()


def _require_listening(address: str) -> None:
    """Raise DeviceError where nobody answers: Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_S).close()
    except (OSError, ValueError) as fault:
        raise DeviceError(
            f"--address {address}: no Ray cluster answers there ({fault}). Start one with `ray start --head --port "
            "6379`, join other machines with `ray start --address HOST:6379`, and give HOST:6379."
        ) from fault


@contextmanager
def _shown(ray: Any, display: Display) -> Iterator[Sink]:
    """Yield a sink whose events the display shows until the block ends. The queue lives on the driver's machine."""
    from ray.util.queue import Empty, Queue
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    queue, ended = Queue(actor_options={"num_cpus": 0, "scheduling_strategy": here}), threading.Event()

    def listen() -> None:
        with suppress(ray.exceptions.RayError):  # the cluster ends: progress does, too
            while not ended.is_set():
                with suppress(Empty):
                    display.put(queue.get(timeout=POLL_S))

    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    try:
        yield Sink(queue)
    finally:
        ended.set()
        listener.join(timeout=5)


def _require_shared(ray: Any, bench: Bench) -> None:
    """Raise StoreError if a machine of the cluster does not see the store."""
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    token = bench.store.root / f".seen-by-all-{uuid.uuid4().hex}"
    token.touch()
    try:
        sees = ray.remote(_sees)
        seen = {
            node["NodeManagerAddress"]: sees.options(
                num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)
            ).remote(str(token))
            for node in ray.nodes()
            if node["Alive"]
        }
        blind = [address for address, ref in seen.items() if not ray.get(ref)]
    finally:
        token.unlink()
    if blind:
        raise StoreError(
            f"{bench.store.root}: the machines {', '.join(sorted(blind))} of the cluster do not see this store. Give a "
            "folder that all machines share, under the same path: --store"
        )


def _sees(path: str) -> bool:
    return os.path.exists(path)


def _submit(ray: Any, job: Job, bench: Bench, shared: Ref, sink: Sink) -> Ref:
    processes = bench.processes if job.function in ("train", "check") else 1
    gpus = processes if bench.scale.device == "cuda" else 0
    cpus = bench.scale.threads_per_worker * (1 if job.function == "check" else processes)
    remote = ray.remote(_call).options(name=job.name, num_cpus=cpus, num_gpus=gpus, max_retries=RETRIES)
    return remote.remote(sink, job.function, shared, job.name, job.arguments)


def _call(
    sink: Sink, function: str, bench: Bench, job: str, arguments: Mapping[str, object]
) -> tuple[tuple[str, int], float]:
    """Run one job in a worker of Ray, and return its host and process with the peak memory in GiB."""
    os.environ.update(process.environment(bench.scale.threads_per_worker))  # before torch is imported
    process.prepare(bench.scale.threads_per_worker)
    worker.call(function, bench, sink, job, arguments)
    return (socket.gethostname(), os.getpid()), environment.peak_memory_gib()


def _schedule(
    ray: Any, turns: Turns, bench: Bench, shared: Ref, sink: Sink, display: Display
) -> dict[tuple[str, int], float]:
    """Run every job and return the peak memory of each worker in GiB by host and process."""
    running: dict[Ref, Job] = {}
    peaks_gib: dict[tuple[str, int], float] = {}
    while turns.are_left or running:
        for job in turns.next():  # Ray keeps those that no machine has room for
            running[_submit(ray, job, bench, shared, sink)] = job
        if not running:
            time.sleep(LOOK_S)
            continue
        finished, _ = ray.wait(list(running), num_returns=1, timeout=LOOK_S if turns.others_work else None)
        for ref in finished:
            job = running.pop(ref)
            place, memory_gib = _result(ray, ref, job.name)
            peaks_gib[place] = max(memory_gib, peaks_gib.get(place, 0.0))
            turns.finished(job)
            display.finished(job.name)
    return peaks_gib


def _result(ray: Any, ref: Ref, name: str) -> tuple[tuple[str, int], float]:
    """Return what a job returned. Raises the exception that it raised."""
    try:
        result: tuple[tuple[str, int], float] = ray.get(ref)
    except ray.exceptions.RayTaskError as fault:
        raise fault.cause from fault
    except ray.exceptions.RayError as fault:
        raise DeviceError(
            f"{name}: its worker died {RETRIES + 1} times ({type(fault).__name__}: {str(fault).splitlines()[0]}). What "
            "is finished is kept, and the same command continues. Look at `ray status` and at the machines' memory."
        ) from fault
    return result
