"""Measures a table: plans its cells, has an engine run the jobs, and writes one record per cell."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console

from rdtf_bench.assets import registry
from rdtf_bench.core.errors import ProtocolError, unknown_name
from rdtf_bench.core.leases import Leases
from rdtf_bench.core.store import Store
from rdtf_bench.run import environment, record, stopping
from rdtf_bench.run.engines.engine import Engine
from rdtf_bench.run.engines.local import LocalEngine
from rdtf_bench.run.inputs import datasets
from rdtf_bench.run.inputs.datasets import Dataset
from rdtf_bench.run.inputs.training_set import write_list
from rdtf_bench.run.record import Record, ScoreRecord
from rdtf_bench.run.storage import damage
from rdtf_bench.run.table import shipped
from rdtf_bench.run.table.context import (
    NONE,
    Bench,
    External,
    Watching,
    cells_of,
    find_assets,
    make_bench,
    plan_cells,
    roles_of,
    unwatched,
)
from rdtf_bench.run.table.external.clips import ExternalClips
from rdtf_bench.run.table.finished import (
    diverged_at_step,
    fit_facts,
    pipeline_facts,
    score_of,
    seconds_of_samples,
    sha256_of_samples,
)
from rdtf_bench.run.table.schedule import Job, expected_seconds, jobs_for
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import TableSpec

LOCAL: Engine = LocalEngine()


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run of a table made and found."""

    bench: Bench
    cells: list[Cell]
    records: dict[str, Record]  # by cell id
    jobs_done: int
    wall_s: float
    peak_memory_gib: float  # sum over the parent and all workers


def run(
    spec: TableSpec,
    scale: Scale,
    *,
    source: str | None,
    root: Path,
    skip_broken: bool,
    console: Console,
    quiet: bool,
    external: Mapping[str, External] = NONE,
    command: str | None = None,
    retrain: bool = False,
    processes: int = 1,
    shard_weights: bool = False,
    engine: Engine = LOCAL,
    watching: Watching = unwatched,
    only: Collection[str] = (),
) -> Outcome:
    """Measure every cell of a table that the store does not hold yet.

    `only` are the rows to measure, with the control rows; where it is empty, all rows are measured. `external` holds
    further rows, whose clips were made elsewhere. `command` is the command line that the records keep. Trained rows
    that ship with the package are taken from it; `retrain` trains them anew. `processes` train a row together, and
    share its weights where `shard_weights` is given. `watching` follows the work on the cells.
    """
    began_s = time.monotonic()
    _require_divisible(scale, processes)
    _require_rows(spec, external, only)
    store = Store(root.resolve())
    with Leases(store.root) as leases:
        assets = _assets(spec, scale, source, store, console)
        data = _read(spec, scale, source, store, external, skip_broken=skip_broken)
        cells = plan_cells(spec, scale, data.identity, assets, external)
        cells = [cell for cell in cells if not only or cell.is_control or cell.label in only]
        bench = make_bench(
            spec.controls, scale, data, assets, store, external, processes=processes, shard_weights=shard_weights
        )
        _bring_up_to_date(bench, cells, leases, console, retrain=retrain)
        jobs = jobs_for(bench, cells)
        _announce_trainings(jobs, scale.workers, console, quiet=quiet)
        if jobs:
            registry.verify([assets[role] for role in roles_of(cells)])
        if any(job.function == "train" for job in jobs):
            write_list(store, bench.training, data.clips["train"])
        try:
            with stopping.on_signals(), watching(bench, cells, leases):
                memory_gib = engine.run(jobs, bench, console, leases=leases, quiet=quiet)
        finally:  # also where a row has failed or a signal has come: `show` prints what is finished
            with leases.held("records"):  # each table keeps what another has scored since: read and write as one
                records = _records(spec, scale, data, bench, cells, command)
        wall_s = time.monotonic() - began_s
    return Outcome(
        bench=bench,
        cells=cells,
        records=records,
        jobs_done=len(jobs),
        wall_s=wall_s,
        peak_memory_gib=memory_gib,
    )


def _require_divisible(scale: Scale, processes: int) -> None:
    if scale.training.batch_size % processes:
        raise ProtocolError(
            f"--processes {processes}: the scale {scale.name} has batches of {scale.training.batch_size} clips, which "
            f"{processes} processes cannot share equally. Give a number that divides {scale.training.batch_size}."
        )


def _require_rows(spec: TableSpec, external: Collection[str], labels: Collection[str]) -> None:
    """Raise UnknownNameError for a label that no row has, before data are read."""
    known = [*(row.label for row in spec.rows), *external]
    for label in labels:
        if label not in known:
            raise unknown_name(f"row of {spec.name}", label, known)


def _assets(
    spec: TableSpec, scale: Scale, source: str | None, store: Store, console: Console
) -> dict[str, registry.Asset]:
    """Return the pretrained networks by role. Absent ones that a row needs are named before data are read."""
    for name in registry.pin(find_assets(scale).values()):  # before the plan: identities contain the hashes
        console.print(
            f"{name}: no SHA-256 is known, so that of the files found here is kept from now on", highlight=False
        )
    assets = find_assets(scale)
    if any(asset.absent() for asset in assets.values()):
        _, planned = cells_of(spec, scale, source, store.root)
        registry.require_present(assets[role] for role in roles_of(planned))
    return assets


def _read(
    spec: TableSpec,
    scale: Scale,
    source: str | None,
    store: Store,
    external: Mapping[str, External],
    *,
    skip_broken: bool,
) -> Dataset:
    """Read the data; DataError where clips that were made elsewhere do not belong to its test clips."""
    data = datasets.of_table(spec, scale, source, store=store.root, skip_broken=skip_broken)
    for given in external.values():
        if isinstance(given, ExternalClips):
            given.require([clip.id for clip in data.clips["test"]], scale.clip)
    return data


def _bring_up_to_date(bench: Bench, cells: Sequence[Cell], leases: Leases, console: Console, *, retrain: bool) -> None:
    """Remove damaged entries of the store, and install the trained rows that ship with the package or discard them."""
    for fault in damage.mend(bench.store, cells, bench.real.values(), bench.training.identity.key):
        console.print(f"{fault}: it is removed and made again", highlight=False, markup=False)
    if retrain:
        shipped.discard(bench.store, cells, leases)
    elif taken := shipped.install(bench.store, cells, leases):
        console.print(f"trained rows that ship with rdtf-bench: {', '.join(taken)}", highlight=False)


def _announce_trainings(jobs: Sequence[Job], workers: int, console: Console, *, quiet: bool) -> None:
    """Say which rows are trained before the first minutes pass: at some scales that takes hours."""
    rows = [job.name.removeprefix("train ") for job in jobs if job.function == "train"]
    if rows and not quiet:
        minutes = expected_seconds(jobs, workers) / 60
        console.print(f"rows to train: {', '.join(rows)}; all in about {minutes:.0f} min", highlight=False)


def _records(
    spec: TableSpec, scale: Scale, data: Dataset, bench: Bench, cells: Sequence[Cell], command: str | None
) -> dict[str, Record]:
    """Return the record of every cell that has a score or has diverged, and write those that lack something.

    Several tables may share a cell and score it with different metrics. Scores that another table made are kept.
    """
    folder = record.folder_in(bench.store.root)
    known = record.find([cell.id for cell in cells], [folder])
    described = None
    for cell in cells:
        old, found = known.get(cell.id), _scores(bench.store, cell)
        diverged_at = diverged_at_step(bench.store, cell.fit)
        if (diverged_at is None and not found) or (old is not None and _says(old, found, diverged_at)):
            continue
        described = described or environment.describe(scale.device, scale.threads_per_worker)
        known[cell.id] = _record(spec, scale, data, bench, cell, found, described, command, old)
        record.save(known[cell.id], folder)
    return known


def _scores(store: Store, cell: Cell) -> dict[str, ScoreRecord]:
    """Return the scores of a cell that the store holds, by metric."""
    keys = {metric: cell.score_key(metric) for metric in cell.scores}
    return {metric: score_of(store, key) for metric, key in keys.items() if store.has("scores", key)}


def _says(old: Record, found: Mapping[str, ScoreRecord], diverged_at: int | None) -> bool:
    """Return whether a record says that a training has diverged, and has these scores with their parts."""
    return old.diverged_at_step == diverged_at and all(
        metric in old.scores and old.scores[metric].key == score.key and old.scores[metric].parts == score.parts
        for metric, score in found.items()
    )


def _record(
    spec: TableSpec,
    scale: Scale,
    data: Dataset,
    bench: Bench,
    cell: Cell,
    found: Mapping[str, ScoreRecord],
    described: dict[str, object],
    command: str | None,
    old: Record | None,
) -> Record:
    """Return the record of one cell with the scores `found`.

    `old` is its record so far, which may hold scores of another table.
    """
    elsewhere = {} if old is None else old.scores
    before = {} if old is None else old.config
    decided = {part: cell.as_dict()[part] for part in ("fit", "sample", "scores")}
    fit = None if cell.fit is None else fit_facts(bench.store, cell.fit_key)
    sampled_s = seconds_of_samples(bench.store, cell.sample_key)
    pipeline = pipeline_facts(bench.store, cell.sample_key) or before.get("pipeline", {})
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
        config={
            **decided,
            "scores": before.get("scores", {}) | decided["scores"],
            **({"pipeline": pipeline} if pipeline else {}),
        },
        data=data.facts,
        scores=elsewhere | dict(found),
        components=pipeline.get("components", {}) if fit is None else fit.components,
        stage_seconds={"sample": sampled_s} if fit is None else {"fit": fit.seconds, "sample": sampled_s},
        peak_memory_gib=None if fit is None else fit.peak_memory_gib,
        environment=described,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        format_version=record.FORMAT_VERSION,
        command=command,
        num_processes=1 if fit is None else fit.num_processes,
        weights_sharded=False if fit is None else fit.weights_sharded,
        resolved_scale=scale.model_dump(mode="json"),
        samples_sha256=sha256_of_samples(bench.store, cell.sample_key),
        diverged_at_step=diverged_at_step(bench.store, cell.fit),
    )
