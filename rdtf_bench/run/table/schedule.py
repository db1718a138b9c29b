"""Which jobs a table needs, and after which others: the only module that knows the order. No torch."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rdtf_bench import catalog
from rdtf_bench.run.selftest import record as selftest_record
from rdtf_bench.run.table.context import Bench
from rdtf_bench.spec.identities import ScoreIdentity
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.schema import Scale


@dataclass(frozen=True, kw_only=True)
class Job:
    """One call of a function of run.table.work in a worker."""

    name: str
    function: str
    arguments: dict[str, Any] = field(default_factory=dict)
    after: frozenset[str] = frozenset()
    expected_s: float


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


def ready(waiting: Iterable[Job], done: Collection[str]) -> list[Job]:
    """Return the jobs that can start now, the longest first: the long ones decide when all is done."""
    return sorted((job for job in waiting if job.after <= set(done)), key=lambda job: -job.expected_s)


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
    if cell.kind == "external":
        after, function, seconds = prepared & {"real clips"}, "read_outside", expected["make_control"]
    elif cell.kind == "control":
        after, function, seconds = prepared & {"real clips"}, "make_control", expected["make_control"]
    else:
        step_s = scale.methods[cell.method].seconds_per_step
        after, function = prepared, "train_and_sample"
        seconds = scale.training.num_steps * step_s + expected["sample"]
    return Job(name=cell.name, function=function, arguments={"cell": cell}, after=after, expected_s=seconds)


def _observe_real(cells: Sequence[Cell], expected: Mapping[str, float], after: frozenset[str]) -> list[Job]:
    """One job a metric that compares with the real clips."""
    identities: dict[str, ScoreIdentity] = {}
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
