"""Lists the jobs that a table needs and their order. The only module that knows the order. Imports no torch."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rdtf_bench import catalog
from rdtf_bench.core.store import key_of
from rdtf_bench.run.selftest import record as selftest_record
from rdtf_bench.run.table.context import Bench
from rdtf_bench.run.table.finished import diverged_at_step, is_scored
from rdtf_bench.spec.identities import PipelineSamples, QualityScore
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.scale import Scale


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

    The list is empty where the store holds every score. A job whose result the store holds is left out, and so are
    those of a row whose training has diverged. `installable` are the keys of trained rows that the store lacks but will
    get before the jobs run.
    """
    store = bench.store
    cells = [cell for cell in cells if diverged_at_step(store, cell.fit) is None]
    undone = [
        cell for cell in cells if not all(is_scored(store, metric, cell.score_key(metric)) for metric in cell.scores)
    ]
    if not undone:
        return []
    made = {cell.sample_key for cell in undone if store.has("samples", cell.sample_key)}
    to_train: dict[str, Cell] = {}
    for cell in undone:
        if cell.fit and not (cell.fit_key in installable or store.has("fit", cell.fit_key)):
            to_train.setdefault(cell.fit_key, cell)  # rows that share their weights are trained once
    decoding, shards = _decoding(bench), shard_jobs(bench) if to_train else []
    trainers = {key: _train_job(bench.scale, cell, after=_names(shards)) for key, cell in to_train.items()}
    observers = _observe_real(bench, undone, after=_names(decoding))
    jobs = [*decoding, *shards, *trainers.values(), *observers, *_selftest(bench, undone)]
    for cell in undone:
        before = _names(decoding)
        if cell.fit and cell.fit_key in trainers:
            before |= {trainers[cell.fit_key].name}
        making = [] if cell.sample_key in made else _make_jobs(bench, cell, after=before)
        jobs += making + _score_jobs(bench, cell, making, observers, after=before)
    return jobs + _timing(bench, cells, after=_names(jobs))


def cells_to_check(jobs: Iterable[Job]) -> list[Cell]:
    """Return the rows that these jobs train or sample, whose options and pipelines are checked before any work."""
    given = (job.arguments["cell"] for job in jobs if job.function in ("train", "sample", "sample_pipeline"))
    return list({cell.id: cell for cell in given if isinstance(cell, Cell)}.values())


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


def _names(jobs: Iterable[Job]) -> frozenset[str]:
    return frozenset(job.name for job in jobs)


def _decoding(bench: Bench) -> list[Job]:
    """Return the job that decodes the real clips, unless the store holds them."""
    if all(bench.store.has("clips", key) for key in bench.real.values()):
        return []
    lease = f"clips-{key_of(sorted(bench.real.values()))}"
    expected_s = bench.scale.expected_seconds.prepare_real
    return [Job(name="real clips", function="prepare_real", expected_s=expected_s, lease=lease)]


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


def _train_job(scale: Scale, cell: Cell, after: frozenset[str]) -> Job:
    return Job(
        name=f"train {cell.name}",
        function="train",
        arguments={"cell": cell},
        after=after,
        expected_s=cell.trained.training.num_steps * scale.methods[cell.method].seconds_per_step,
        lease=lease_of_fit(cell.fit_key),
    )


def _make_jobs(bench: Bench, cell: Cell, after: frozenset[str]) -> list[Job]:
    """Return the jobs that make the clips of a row: one for each shard of clips that are sampled."""
    expected = bench.scale.expected_seconds
    if cell.fit is not None or isinstance(cell.sample, PipelineSamples):
        function = "sample" if cell.fit is not None else "sample_pipeline"
        return [
            Job(
                name=f"sample {cell.name}{_of(shard, bench)}",
                function=function,
                arguments={"cell": cell, "shard": shard},
                after=after,
                expected_s=expected.sample / len(bench.shards),
                lease=f"samples-{cell.sample_key}-{shard}",
            )
            for shard in range(len(bench.shards))
        ]
    return [
        Job(
            name=cell.name,
            function="read_external" if cell.kind == "external" else "make_control",
            arguments={"cell": cell},
            after=after,
            expected_s=expected.make_control,
            lease=f"samples-{cell.sample_key}",
        )
    ]


def _score_jobs(
    bench: Bench, cell: Cell, making: Sequence[Job], observers: Sequence[Job], after: frozenset[str]
) -> list[Job]:
    """Return the job that scores a row, and before it one for each shard of its clips that is observed.

    Where there is one shard, the scoring observes it. `making` are the jobs that make the clips, one or one per shard,
    and none where the store holds them.
    """
    expected_s = bench.scale.expected_seconds.score_cell / len(bench.shards)
    observing = [
        Job(
            name=f"observe {cell.name}{_of(shard, bench)}",
            function="observe_shard",
            arguments={"cell": cell, "shard": shard},
            after=after | _names(making[shard : shard + 1] if len(making) > 1 else making),
            expected_s=expected_s,
            lease=f"observations-{cell.sample_key}-{shard}",
        )
        for shard in range(len(bench.shards))
        if len(bench.shards) > 1
    ]
    scoring = Job(
        name=f"score {cell.name}",
        function="score_cell",
        arguments={"cell": cell},
        after=after | _names((*making, *observing, *observers)),
        expected_s=expected_s,
        lease=f"scores-{cell.sample_key}",
    )
    return [*observing, scoring]


def _observe_real(bench: Bench, cells: Sequence[Cell], after: frozenset[str]) -> list[Job]:
    """Return one job for each metric that compares with the real clips, and before it one for each of their shards."""
    identities = {
        metric: identity
        for cell in cells
        for metric, identity in cell.scores.items()
        if isinstance(identity, QualityScore) and "real" in catalog.constants("metric", metric)["USES"]
    }
    expected_s = bench.scale.expected_seconds.observe_real / len(bench.shards)
    jobs = []
    for metric, identity in identities.items():
        name, lease = f"{metric} of the real clips", f"observations-{identity.observation_key(identity.real)}"
        parts = [
            Job(
                name=f"{name}{_of(shard, bench)}",
                function="observe_real_shard",
                arguments={"identity": identity, "shard": shard},
                after=after,
                expected_s=expected_s,
                lease=f"{lease}-{shard}",
            )
            for shard in range(len(bench.shards))
            if len(bench.shards) > 1
        ]
        jobs += parts
        jobs.append(
            Job(
                name=name,
                function="observe_real",
                arguments={"identity": identity},
                after=after | _names(parts),
                expected_s=expected_s,
                lease=lease,
            )
        )
    return jobs


def _of(shard: int, bench: Bench) -> str:
    """Return the end of the name of a job for one of several shards, such as " 2/8"."""
    return f" {shard + 1}/{len(bench.shards)}" if len(bench.shards) > 1 else ""


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
    """Return the job that times the denoisers of all rows, after all other jobs.

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
