import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from io import StringIO
from queue import SimpleQueue
from threading import Lock

import pytest
from rich.console import Console

from rdtf_bench import catalog
from rdtf_bench.core.errors import ProtocolError
from rdtf_bench.core.leases import Leases
from rdtf_bench.run import environment
from rdtf_bench.run.engines import local
from rdtf_bench.run.engines.local import LocalEngine
from rdtf_bench.run.progress import Display, Event, Sink
from rdtf_bench.run.table import worker
from rdtf_bench.run.table.context import Bench, find_assets
from rdtf_bench.run.table.schedule import Job, jobs_for
from rdtf_bench.spec.load import load_protocol
from rdtf_bench.spec.plan import Cell, plan
from rdtf_bench.spec.schema import Row
from tests.plans import DATA


def test_options_of_every_row_to_be_trained_are_checked_before_any_job(planned: tuple[Bench, list[Cell]]) -> None:
    bench, _ = planned
    spec = load_protocol("table1")
    wrong = spec.model_copy(update={"rows": (*spec.rows, Row(label="mine", method="rdtf", options={"k_max": 9}))})
    digests = {role: asset.digest for role, asset in find_assets(bench.scale).items()}
    jobs = jobs_for(bench, plan(wrong, bench.scale, DATA, digests, catalog.constants))
    with ThreadPoolExecutor(1) as pool, pytest.raises(ProtocolError, match=r"row 'mine': .*k_max 9"):
        local._check(jobs, bench, pool)


@pytest.mark.slow
def test_jobs_run_in_worker_processes_and_are_shown_when_done(planned: tuple[Bench, list[Cell]]) -> None:
    bench, cells = planned
    bench = replace(bench, scale=bench.scale.model_copy(update={"workers": 1}))
    trained = [cell for cell in cells if cell.fit is not None]
    first = Job(name="first", function="check", arguments={"cells": trained[:1]}, expected_s=1.0)
    then = Job(
        name="then",
        function="check",
        arguments={"cells": trained[1:]},
        after=frozenset({"first"}),
        expected_s=2.0,
    )
    said = StringIO()
    with Leases(bench.store.root) as leases:
        peak_gib = LocalEngine().run([then, first], bench, Console(file=said), leases=leases, quiet=False)
    lines = [line.split("] ")[1] for line in said.getvalue().splitlines()]
    assert [line.split(", about")[0] for line in lines] == ["first: done", "then: done"]
    assert peak_gib > environment.peak_memory_gib()


def test_without_jobs_no_process_is_started(planned: tuple[Bench, list[Cell]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "ProcessPoolExecutor", lambda *_: pytest.fail("a pool was made"))
    with Leases(planned[0].store.root) as leases:
        peak_gib = LocalEngine().run([], planned[0], Console(), leases=leases, quiet=True)
    assert peak_gib == pytest.approx(environment.peak_memory_gib())


class Calls:
    """Stands in for the work: keeps which jobs were called, and how many at once."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.most_at_once = 0
        self._running = 0
        self._lock = Lock()

    def __call__(self, function: str, bench: Bench, sink: Sink, job: str, arguments: Mapping[str, object]) -> None:
        del bench, sink, arguments
        with self._lock:
            self.names.append(job)
            self._running += 1
            self.most_at_once = max(self.most_at_once, self._running)
        time.sleep(0.02)
        with self._lock:
            self._running -= 1
        if function == "fail":
            raise ProtocolError("wrong")


def job(name: str, expected_s: float, *after: str, function: str = "work") -> Job:
    return Job(name=name, function=function, expected_s=float(expected_s), after=frozenset(after))


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Calls:
    made = Calls()
    monkeypatch.setattr(worker, "call", made)
    return made


def scheduled(jobs: list[Job], bench: Bench, workers: int) -> dict[int, float]:
    bench = replace(bench, scale=bench.scale.model_copy(update={"workers": workers}))
    display = Display(Console(quiet=True), {job.name: job.expected_s for job in jobs}, quiet=True)
    with ThreadPoolExecutor(9) as pool, Leases(bench.store.root) as leases:
        return local._schedule(jobs, bench, pool, leases, display)


def test_one_worker_takes_the_longest_job_whose_results_are_there(
    planned: tuple[Bench, list[Cell]], calls: Calls
) -> None:
    jobs = [job("short", 1), job("last", 99, "short", "long"), job("long", 9), job("middle", 5)]
    scheduled(jobs, planned[0], workers=1)
    assert calls.names == ["long", "middle", "short", "last"]


def test_no_more_jobs_run_at_once_than_the_scale_has_workers(planned: tuple[Bench, list[Cell]], calls: Calls) -> None:
    peaks_gib = scheduled([job(str(i), 1) for i in range(7)], planned[0], workers=3)
    assert calls.most_at_once == 3
    assert sorted(calls.names) == sorted(map(str, range(7)))
    assert peaks_gib == {os.getpid(): pytest.approx(environment.peak_memory_gib(), rel=0.1)}


def test_the_fault_of_a_job_ends_the_run_and_nothing_that_waits_for_it_starts(
    planned: tuple[Bench, list[Cell]], calls: Calls
) -> None:
    with pytest.raises(ProtocolError, match="wrong"):
        scheduled([job("first", 1, function="fail"), job("then", 1, "first")], planned[0], workers=2)
    assert calls.names == ["first"]


def test_events_are_shown_until_none_comes() -> None:
    shown: list[Event] = []

    class Shown(Display):
        def put(self, event: Event) -> None:
            shown.append(event)

    events: SimpleQueue[Event | None] = SimpleQueue()
    event = Event("job", "training", 1, 2)
    for put in (event, event, None, event):
        events.put(put)
    local._listen(events, Shown(Console(quiet=True), {}, quiet=True))
    assert shown == [event, event]


KILLED = """
import multiprocessing, os, signal
from multiprocessing.managers import SyncManager
from rdtf_bench.run.engines import local
manager = SyncManager(ctx=multiprocessing.get_context("spawn"))
manager.start(local._start_queue)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_process_of_the_queue_ends_with_a_run_that_is_killed() -> None:
    # what is read of its output ends with the last process that can write to it
    killed = subprocess.run([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, check=False, timeout=120)
    assert killed.returncode == -signal.SIGKILL
