"""Plan -> records: which jobs a table needs, in which order, side by side. The only module that knows the order."""

import fcntl
import multiprocessing
import os
import resource
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from rdtf_bench import catalog
from rdtf_bench.assets import registry
from rdtf_bench.core.errors import StoreError
from rdtf_bench.core.store import Store
from rdtf_bench.run import environment, record
from rdtf_bench.run.inputs import datasets
from rdtf_bench.run.inputs.datasets import Dataset
from rdtf_bench.run.progress import Display
from rdtf_bench.run.record import Record
from rdtf_bench.run.selftest import record as selftest_record
from rdtf_bench.run.table import worker
from rdtf_bench.run.table.context import NONE, Bench, cells_of, find_assets, make_bench, plan_cells, roles_of
from rdtf_bench.run.table.external import OutsideClips
from rdtf_bench.run.table.finished import fit_facts, score_of, seconds_of_samples
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.schema import Scale, TableSpec


@dataclass(frozen=True, kw_only=True)
class Job:
    """One call of a function of run.table.work in a worker."""

    name: str
    function: str
    arguments: dict[str, Any] = field(default_factory=dict)
    after: frozenset[str] = frozenset()
    expected_s: float


@dataclass(frozen=True, kw_only=True)
class Outcome:
    bench: Bench
    data: Dataset
    cells: list[Cell]
    records: dict[str, Record]
    jobs_done: int
    wall_s: float
    peak_memory_gib: float  # the parent and all workers, each at its largest


def run(
    spec: TableSpec,
    scale: Scale,
    *,
    source: str | None,
    root: Path,
    skip_broken: bool,
    console: Console,
    quiet: bool,
    outside: Mapping[str, OutsideClips] = NONE,
) -> Outcome:
    """Measure every cell of a table that the store does not hold yet; `outside` are further rows of ready clips."""
    began_s = time.monotonic()
    store = Store(root.resolve())
    with _only_run_in(store.root):
        for name in registry.pin(find_assets(scale).values()):  # before the plan: identities hold the hashes
            console.print(f"{name}: no SHA-256 is known, so these bytes are pinned now", highlight=False)
        assets = find_assets(scale)
        if any(asset.absent() for asset in assets.values()):  # before data are written or read
            _, planned = cells_of(spec, scale, source, store.root)
            registry.require_present(assets[role] for role in roles_of(planned))
        data = datasets.read(
            spec.dataset, source, scale.data, scale.clip.num_frames, store=store.root, skip_broken=skip_broken
        )
        for clips in outside.values():
            clips.require([clip.id for clip in data.clips["test"]], scale.clip)
        cells = plan_cells(spec, scale, data.identity, assets, outside)
        bench = make_bench(spec, scale, data.identity, data.clips, assets, store, outside)
        jobs = jobs_for(bench, cells)
        if jobs:
            registry.verify([assets[role] for role in roles_of(cells)])
        memory_gib = _run_jobs(jobs, bench, console, quiet=quiet)
        records = _records(spec, scale, data, bench, cells)
        wall_s = time.monotonic() - began_s
    return Outcome(
        bench=bench,
        data=data,
        cells=cells,
        records=records,
        jobs_done=len(jobs),
        wall_s=wall_s,
        peak_memory_gib=memory_gib,
    )


def jobs_for(bench: Bench, cells: Sequence[Cell]) -> list[Job]:
    """What is left to do, each job after those whose results it reads. Nothing for what the store holds."""
    store = bench.store
    undone = [cell for cell in cells if not all(store.has("scores", cell.score_key(metric)) for metric in cell.scores)]
    if not undone:
        return []
    expected = bench.scale.expected_seconds
    jobs = _preparations(bench, cells)
    prepared = frozenset(job.name for job in jobs)
    observers = _observe_real(undone, expected, prepared & {"real clips"})
    jobs += observers + _selftest(bench, undone)
    for cell in undone:
        jobs.append(_sample_job(bench.scale, cell, prepared))
        after = frozenset({jobs[-1].name, *(job.name for job in observers)})
        jobs.append(
            Job(
                name=f"score {cell.name}",
                function="score_cell",
                arguments={"cell": cell},
                after=after,
                expected_s=expected["score_cell"],
            )
        )
    return jobs + _timing(bench, cells, after=frozenset(job.name for job in jobs))


def expected_seconds(jobs: Sequence[Job], workers: int) -> float:
    """A lower bound of the wall time: the work over the workers, or the longest chain of jobs."""
    length: dict[str, float] = {}
    for job in jobs:  # listed so that a job comes after what it waits for
        length[job.name] = job.expected_s + max((length[name] for name in job.after), default=0.0)
    return max(sum(job.expected_s for job in jobs) / workers, max(length.values(), default=0.0))


def _preparations(bench: Bench, cells: Sequence[Cell]) -> list[Job]:
    expected, store = bench.scale.expected_seconds, bench.store
    jobs = []
    if not all(store.has("clips", key) for key in bench.real.values()):
        jobs.append(Job(name="real clips", function="prepare_real", expected_s=expected["prepare_real"]))
    trains = any(cell.fit is not None and not store.has("fit", cell.fit_key) for cell in cells)
    frames = {"training frames"} if trains and not store.has("training_frames", bench.training_frames) else set()
    if frames:
        jobs.append(Job(name="training frames", function="prepare_frames", expected_s=expected["prepare_frames"]))
    for kind, key in (("latents", bench.training_latents), ("features", bench.training_features)):
        if trains and not store.has(f"training_{kind}", key):
            function = f"prepare_{kind}"
            jobs.append(
                Job(
                    name=f"training {kind}",
                    function=function,
                    after=frozenset(frames),
                    expected_s=expected[function],
                )
            )
    return jobs


def _sample_job(scale: Scale, cell: Cell, prepared: frozenset[str]) -> Job:
    expected = scale.expected_seconds
    if "clips" in cell.sample:
        after, function, seconds = prepared & {"real clips"}, "read_outside", expected["make_control"]
    elif cell.fit is None:
        after, function, seconds = prepared & {"real clips"}, "make_control", expected["make_control"]
    else:
        step_s = scale.methods[cell.method].seconds_per_step
        after, function = prepared, "train_and_sample"
        seconds = scale.training.num_steps * step_s + expected["sample"]
    return Job(name=cell.name, function=function, arguments={"cell": cell}, after=after, expected_s=seconds)


def _observe_real(cells: Sequence[Cell], expected: Mapping[str, float], after: frozenset[str]) -> list[Job]:
    """One job a metric that compares with the real clips."""
    identities: dict[str, dict[str, Any]] = {}
    for cell in cells:
        for metric, identity in cell.scores.items():
            if "real" in catalog.constants("metric", metric)["USES"]:
                identities[metric] = identity
    return [
        Job(
            name=f"{metric} of the real clips",
            function="observe_real",
            arguments={"identity": identity},
            after=after,
            expected_s=expected["observe_real"],
        )
        for metric, identity in identities.items()
    ]


def _selftest(bench: Bench, cells: Sequence[Cell]) -> list[Job]:
    """Before a table is trusted: once a store for metrics and networks as they are."""
    scored = {metric for cell in cells for metric in cell.scores}
    if scored.isdisjoint(selftest_record.METRICS) or selftest_record.is_known(bench.store.root, bench.scale):
        return []
    if not selftest_record.can_be_made(bench.scale):
        return []
    return [Job(name="self-test", function="selftest", expected_s=bench.scale.expected_seconds["selftest"])]


def _timing(bench: Bench, cells: Sequence[Cell], after: frozenset[str]) -> list[Job]:
    """All rows together, in turns, when nothing else runs; one that is missing has them all timed again, but what is
    finished is kept."""
    timed = [cell for cell in cells if "seconds" in cell.scores]
    if all(bench.store.has("scores", cell.score_key("seconds")) for cell in timed):
        return []
    expected_s = bench.scale.expected_seconds["time_denoisers"]
    arguments = {"cells": timed}
    return [
        Job(name="denoiser seconds", function="time_denoisers", arguments=arguments, after=after, expected_s=expected_s)
    ]


def _run_jobs(jobs: Sequence[Job], bench: Bench, console: Console, *, quiet: bool) -> float:
    """Returns the peak memory in GiB of the parent and the workers together."""
    if not jobs:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    os.environ.update(worker.environment(bench.scale.threads_per_worker))
    context = multiprocessing.get_context("spawn")
    peaks: dict[int, float] = {}
    with context.Manager() as manager, Display(console, {j.name: j.expected_s for j in jobs}, quiet=quiet) as display:
        events = manager.Queue()
        listener = threading.Thread(target=_listen, args=(events, display), daemon=True)
        listener.start()
        pool = ProcessPoolExecutor(bench.scale.workers, context, worker.start, (bench.scale.threads_per_worker, events))
        try:
            _check_options(jobs, bench, pool)
            _schedule(jobs, bench, pool, display, peaks)
        except BaseException:
            for process in list((pool._processes or {}).values()):
                process.terminate()
            raise
        finally:
            pool.shutdown(cancel_futures=True)
            events.put(None)
            listener.join(timeout=5)
    own_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return own_gib + sum(peaks.values())


def _check_options(jobs: Sequence[Job], bench: Bench, pool: Executor) -> None:
    """Before any work: a row whose options are wrong stops the run now, not when its turn comes."""
    cells = [job.arguments["cell"] for job in jobs if job.function == "train_and_sample"]
    if cells:
        pool.submit(worker.call, "check_options", bench, "options", {"cells": cells}).result()


def _schedule(
    jobs: Sequence[Job], bench: Bench, pool: ProcessPoolExecutor, display: Display, peaks: dict[int, float]
) -> None:
    waiting = {job.name: job for job in jobs}
    running: dict[Future[tuple[int, float]], str] = {}
    done: set[str] = set()
    while waiting or running:
        ready = [job for job in waiting.values() if job.after <= done]
        for job in sorted(ready, key=lambda job: -job.expected_s):  # the longest first: they decide when all is done
            if len(running) < bench.scale.workers:
                running[pool.submit(worker.call, job.function, bench, job.name, job.arguments)] = job.name
                del waiting[job.name]
        finished, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in finished:
            name = running.pop(future)
            process, memory_gib = future.result()
            peaks[process] = max(memory_gib, peaks.get(process, 0.0))
            done.add(name)
            display.finished(name)


def _listen(events: Any, display: Display) -> None:
    while (event := events.get()) is not None:
        display.put(event)


@contextmanager
def _only_run_in(root: Path) -> Iterator[None]:
    root.mkdir(parents=True, exist_ok=True)
    with (root / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StoreError(
                f"{root}: another run works in this store. Wait for it, or give this one its own: --store"
            ) from None
        yield


def _records(spec: TableSpec, scale: Scale, data: Dataset, bench: Bench, cells: Sequence[Cell]) -> dict[str, Record]:
    """The record of every cell; one that has all its scores already is left as it is.

    A cell may stand in several tables with other metrics in each: what another one scored stays in its record.
    """
    folder = record.folder_in(bench.store.root)
    known = record.find([cell.id for cell in cells], [folder])
    described = None
    for cell in cells:
        old = known.get(cell.id)
        if old is not None and all(
            metric in old.scores and old.scores[metric].key == cell.score_key(metric) for metric in cell.scores
        ):
            continue
        described = described or environment.describe(scale.device, scale.threads_per_worker)
        known[cell.id] = _record(spec, scale, data, bench, cell, described, old)
        record.save(known[cell.id], folder)
    return known


def _record(
    spec: TableSpec,
    scale: Scale,
    data: Dataset,
    bench: Bench,
    cell: Cell,
    described: dict[str, Any],
    old: Record | None,
) -> Record:
    elsewhere = {} if old is None else old.scores
    decided_elsewhere = {} if old is None else old.config["scores"]
    fit = None if cell.fit is None else fit_facts(bench.store, cell.fit_key)
    sampled_s = seconds_of_samples(bench.store, cell.sample_key)
    return Record(
        cell_id=cell.id,
        protocol=spec.name,
        protocol_version=spec.version,
        scale=scale.name,
        scale_version=scale.version,
        kind=cell.kind,
        method=cell.method,
        dataset=spec.dataset,
        task=spec.task,
        seed=cell.seed,
        config={"fit": cell.fit, "sample": cell.sample, "scores": decided_elsewhere | cell.scores},
        data=data.facts,
        scores=elsewhere | {metric: score_of(bench.store, cell.score_key(metric)) for metric in cell.scores},
        components={} if fit is None else fit["components"],
        stage_seconds={"sample": sampled_s} if fit is None else {"fit": fit["seconds"], "sample": sampled_s},
        peak_memory_gib=None if fit is None else fit["peak_memory_gib"],
        environment=described,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
    )
