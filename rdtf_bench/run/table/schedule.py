"""Lists the jobs that a table needs and their order. The only module that knows the order. Imports no torch."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rdtf_bench import catalog
from rdtf_bench.core.store import key_of
from rdtf_bench.run.selftest import record as selftest_record
from rdtf_bench.run.table.context import Bench
from rdtf_bench.run.table.finished import is_scored
from rdtf_bench.spec.identities import PipelineSamples, QualityScore
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.scale import ExpectedSeconds, Scale

CHECKED = ("train_and_sample", "sample_pipeline")
"""Functions of the jobs whose rows are checked before any work."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One call of a function of run.table.work in a worker; `after` names the jobs that it waits for.

    Jobs with the same `lease`, of this run or another one, make the same entries and never run at the same time.
    """

    name: str
    function: str
    arguments: Mapping[str, object] = field(default_factory=dict)
    after: frozenset[str] = frozenset()
    expected_s: float
    lease: str | None = None


def jobs_for(bench: Bench, cells: Sequence[Cell], *, installable: Collection[str] = ()) -> list[Job]:
    """Return the jobs that are left to do, each after those whose results it reads.

    The list is empty where the store holds every score. A job whose result the store holds is left out. `installable`
    are the keys of trained rows that the store lacks but will get before the jobs run.
    """
    store = bench.store
    undone = [
        cell for cell in cells if not all(is_scored(store, metric, cell.score_key(metric)) for metric in cell.scores)
    ]
    if not undone:
        return []
    expected = bench.scale.expected_seconds
    untrained = {cell.fit_key for cell in cells if cell.fit is not None and not store.has("fit", cell.fit_key)} - {
        *installable
    }
    jobs = _preparations(bench, training=bool(untrained))
    prepared = frozenset(job.name for job in jobs)
    observers = _observe_real(undone, expected, prepared & {"real clips"})
    jobs += observers + _selftest(bench, undone)
    for cell in undone:
        jobs.append(_sample_job(bench.scale, cell, prepared, untrained))
        if cell.fit is not None:
            untrained.discard(cell.fit_key)  # rows that share their weights are trained once
        after = frozenset({jobs[-1].name, *(job.name for job in observers)})
        jobs.append(
            Job(
                name=f"score {cell.name}",
                function="score_cell",
                arguments={"cell": cell},
                after=after,
                expected_s=expected.score_cell,
                lease=f"scores-{cell.sample_key}",
            )
        )
    return jobs + _timing(bench, cells, after=frozenset(job.name for job in jobs))


def lease_of_fit(key: str) -> str:
    """Return the lease of the job that trains a row, and of what else writes its entry."""
    return f"fit-{key}"


def ready(waiting: Iterable[Job], done: Collection[str]) -> list[Job]:
    """Return the jobs that can start now, the longest first: the long ones decide when all is done.

    Pipelines come before all others, because only a call can tell whether a pipeline accepts the scale's sizes.
    """
    finished = set(done)
    can_start = [job for job in waiting if job.after <= finished]
    return sorted(can_start, key=lambda job: (job.function != "sample_pipeline", -job.expected_s))


def expected_seconds(jobs: Sequence[Job], workers: int) -> float:
    """Return a lower bound of the wall time: the sum of all jobs over the workers, or the longest chain of jobs."""
    length: dict[str, float] = {}
    for job in jobs:  # listed so that a job comes after what it waits for
        length[job.name] = job.expected_s + max((length[name] for name in job.after), default=0.0)
    return max(sum(job.expected_s for job in jobs) / workers, max(length.values(), default=0.0))


def _preparations(bench: Bench, *, training: bool) -> list[Job]:
    """Return the jobs that decode the real clips and, for a training, prepare the training clips."""
    expected, store = bench.scale.expected_seconds, bench.store
    jobs = []
    if not all(store.has("clips", key) for key in bench.real.values()):
        lease = f"clips-{key_of(sorted(bench.real.values()))}"
        jobs.append(Job(name="real clips", function="prepare_real", expected_s=expected.prepare_real, lease=lease))
    return jobs + shard_jobs(bench) if training else jobs


def shard_jobs(bench: Bench) -> list[Job]:
    """Return one job for each shard of the training clips that the store lacks."""
    expected, training = bench.scale.expected_seconds, bench.training
    all_s = expected.prepare_frames + expected.prepare_latents + expected.prepare_features
    return [
        Job(
            name=f"training clips {shard + 1}/{training.num_shards}",
            function="prepare_shard",
            arguments={"shard": shard},
            expected_s=all_s * training.size_of(shard) / training.num_clips,
            lease=f"training-{training.identity.key}-{shard}",
        )
        for shard in training.missing(bench.store)
    ]


def _sample_job(scale: Scale, cell: Cell, prepared: frozenset[str], untrained: Collection[str]) -> Job:
    """Return the job that makes the clips of one row, after its training if that is one of `untrained`."""
    expected = scale.expected_seconds
    if isinstance(cell.sample, PipelineSamples):
        after, function, seconds = prepared & {"real clips"}, "sample_pipeline", expected.sample
    elif cell.kind == "external":
        after, function, seconds = prepared & {"real clips"}, "read_outside", expected.make_control
    elif cell.kind == "control":
        after, function, seconds = prepared & {"real clips"}, "make_control", expected.make_control
    else:
        training_s = scale.training.num_steps * scale.methods[cell.method].seconds_per_step
        after, function = prepared, "train_and_sample"
        seconds = expected.sample + (training_s if cell.fit_key in untrained else 0.0)
    lease = f"samples-{cell.sample_key}" if cell.fit is None else lease_of_fit(cell.fit_key)
    return Job(
        name=cell.name, function=function, arguments={"cell": cell}, after=after, expected_s=seconds, lease=lease
    )


def _observe_real(cells: Sequence[Cell], expected: ExpectedSeconds, after: frozenset[str]) -> list[Job]:
    """Return one job for each metric that compares with the real clips."""
    identities = {
        metric: identity
        for cell in cells
        for metric, identity in cell.scores.items()
        if isinstance(identity, QualityScore) and "real" in catalog.constants("metric", metric)["USES"]
    }
    return [
        Job(
            name=f"{metric} of the real clips",
            function="observe_real",
            arguments={"identity": identity},
            after=after,
            expected_s=expected.observe_real,
            lease=f"observations-{identity.observation_key(identity.real)}",
        )
        for metric, identity in identities.items()
    ]


def _selftest(bench: Bench, cells: Sequence[Cell]) -> list[Job]:
    """Return the self-test's job, unless the store holds its outcome for these metrics and networks."""
    scored = {metric for cell in cells for metric in cell.scores}
    if scored.isdisjoint(selftest_record.METRICS) or selftest_record.is_known(bench.store.root, bench.scale):
        return []
    if not selftest_record.can_be_made(bench.scale):
        return []
    expected_s = bench.scale.expected_seconds.selftest
    return [Job(name="self-test", function="selftest", expected_s=expected_s, lease="self-test")]


def _timing(bench: Bench, cells: Sequence[Cell], after: frozenset[str]) -> list[Job]:
    """Return the job that times the denoisers of all rows in turns, after all other jobs.

    One row whose time is missing has all rows timed again. The times that the store holds stay.
    """
    timed = [cell for cell in cells if "seconds" in cell.scores]
    if all(bench.store.has("scores", cell.score_key("seconds")) for cell in timed):
        return []
    return [
        Job(
            name="denoiser seconds",
            function="time_denoisers",
            arguments={"cells": timed},
            after=after,
            expected_s=bench.scale.expected_seconds.time_denoisers,
            lease="timing",  # two at once would slow each other down
        )
    ]
