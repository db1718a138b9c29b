"""Training budget and measured costs of each row of a table. No torch."""

from collections.abc import Mapping, Sequence
from math import fsum

from rdtf_bench.report import layouts
from rdtf_bench.run.record import Record
from rdtf_bench.spec.identities import TrainedSamples
from rdtf_bench.spec.plan import Cell

ABSENT = "n/a"
HEAD = (
    "row",
    "steps",
    "batch",
    "learning rate",
    "eta",
    "guidance",
    "trainable",
    "frozen base",
    "training",
    "sampling",
    "memory",
)


def table(cells: Sequence[Cell], records: Mapping[str, Record]) -> layouts.Table:
    """Return one line per cell. Costs that no record holds are `n/a`."""
    methods = [_line(cell, records.get(cell.id)) for cell in cells if not cell.is_control]
    controls = [_line(cell, records.get(cell.id)) for cell in cells if cell.is_control]
    return layouts.Table(heading="Budget and cost of each row", head=HEAD, groups=[methods, controls])


def total(cells: Sequence[Cell], records: Mapping[str, Record]) -> str:
    """Say how long training and sampling of all rows took together."""
    found = [records[cell.id].stage_seconds for cell in cells if cell.id in records]
    if not found:
        return "Nothing has been trained or sampled yet."
    training, sampling = (fsum(of.get(stage, 0.0) for of in found) for stage in ("fit", "sample"))
    return (
        f"Training took {layouts.duration(training)} and sampling {layouts.duration(sampling)}, summed over all rows."
    )


def _line(cell: Cell, record: Record | None) -> list[str]:
    components = record.components if record else {}
    seconds = record.stage_seconds if record else {}
    return [
        cell.name,
        *_budget(cell),
        *(_millions(components.get(part)) for part in ("trainable", "base")),
        *(layouts.duration(seconds[stage]) if stage in seconds else ABSENT for stage in ("fit", "sample")),
        f"{record.peak_memory_gib:.1f} GiB" if record and record.peak_memory_gib is not None else ABSENT,
    ]


def _budget(cell: Cell) -> list[str]:
    if cell.fit is None or not isinstance(cell.sample, TrainedSamples):
        return [ABSENT] * 5
    training, sampler = cell.fit.training, cell.sample.sampler
    guidance = f"{sampler.guidance_text:g}"
    if sampler.guidance_image != 1:
        guidance += f" text, {sampler.guidance_image:g} image"
    rate = f"{training.learning_rate:g}"
    return [f"{training.num_steps:,}", str(training.batch_size), rate, f"{sampler.eta:g}", guidance]


def _millions(count: int | None) -> str:
    if not count:
        return ABSENT if count is None else "0"
    return f"{count / 1e6:.2f} M"
