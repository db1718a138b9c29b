"""The plan of a table as text: its cells, which of them the store holds, and the expected time."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from rdtf_bench.core.dataset import Clip
from rdtf_bench.core.store import Store
from rdtf_bench.report.layouts import duration
from rdtf_bench.run.inputs.datasets import Dataset
from rdtf_bench.run.inputs.training_set import bytes_to_write
from rdtf_bench.run.table import schedule, shipped
from rdtf_bench.run.table.context import Bench, find_assets, make_bench
from rdtf_bench.run.table.finished import diverged_at_step, is_scored
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import TableSpec


def plan_text(
    spec: TableSpec, scale: Scale, data: Dataset, cells: Sequence[Cell], root: Path, notes: Sequence[str] = ()
) -> str:
    """Write one line per cell with its state in the store at `root`, and a line with the number of jobs to do.

    `notes` about the data stand above the cells.
    """
    assets = find_assets(scale)
    bench = make_bench(spec.controls, scale, data, assets, Store(root.resolve()))
    ships = {cell.fit_key for cell in shipped.installable(bench.store, cells)}
    jobs = schedule.jobs_for(bench, cells, installable=ships)
    used = data.identity
    counts = f"{used.num_train} train, {used.num_validation} validation, {used.num_test} test clips"
    lines = [f"{spec.name} at scale {scale.name} on {spec.dataset} ({used.source}: {counts})"]
    lines += [f"  {note}" for note in notes]
    widest = max(len(cell.name) for cell in cells)
    for cell in cells:
        state = _state(cell, bench.store, ships)
        untrained = "control row" if cell.is_control else "added row"
        steps = f"{cell.fit.training.num_steps} steps" if cell.fit is not None else untrained
        lines.append(f"  {cell.id}  {cell.name:{widest}} {steps:12} {','.join(cell.scores):28} {state}")
    if any(job.function == "prepare_shard" for job in jobs):
        lines.append(f"  {shards_text(bench, data.clips.get('train', ()), assets['autoencoder'].config())}")
    expected = duration(schedule.expected_seconds(jobs, scale.workers))
    lines.append(
        f"jobs to do: {len(jobs)}, in about {expected} by the times that the scale states; workers: {scale.workers}"
        if jobs
        else "nothing left to do"
    )
    return "\n".join(lines)


def shards_text(bench: Bench, clips: Sequence[Clip], autoencoder: Mapping[str, Any]) -> str:
    """Say how many shards of training clips are left to prepare and what space they need at most."""
    training = bench.training
    missing = len(training.missing(bench.store))
    size = size_text(bytes_to_write(training, bench.store, clips, autoencoder))
    return (
        f"training clips: {missing:,} of {training.num_shards:,} shards to prepare, which take at most {size} in "
        f"{bench.store.root}"
    )


def size_text(num_bytes: int) -> str:
    """Return a number of bytes in the unit that suits it.

    >>> size_text(1_800_000_000_000), size_text(12_345_678), size_text(100)
    ('1.8 TB', '12.3 MB', '0.0001 MB')
    """
    for unit, power in (("TB", 12), ("GB", 9), ("MB", 6)):
        if num_bytes >= 10**power or unit == "MB":
            return f"{num_bytes / 10**power:.3g} {unit}"
    raise AssertionError(num_bytes)


def _state(cell: Cell, store: Store, ships: Collection[str]) -> str:
    if not _missing(cell, store):
        return "done"
    if cell.fit is None:
        return "to do"
    if diverged_at_step(store, cell.fit) is not None:
        return "diverged"
    if cell.fit_key in ships:
        return "trained, ships with rdtf-bench"
    return "trained" if store.has("fit", cell.fit_key) else "to do"


def _missing(cell: Cell, store: Store) -> list[str]:
    return [metric for metric in cell.scores if not is_scored(store, metric, cell.score_key(metric))]
