"""The losses that a curriculum follows: those of a training log in the store, or else simulated ones. No torch."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from random import Random

from rdtf_bench import catalog
from rdtf_bench.core.store import Store
from rdtf_bench.run.protocols import load_table
from rdtf_bench.run.table import finished
from rdtf_bench.run.table.context import cells_of
from rdtf_bench.spec.command import command, data_option
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import CurriculumCourse, Option, SimulatedLoss

SEED = 0


@dataclass(frozen=True, kw_only=True)
class Followed:
    """The losses of a training, and the method whose curriculum follows them."""

    losses: tuple[float, ...]
    said: str  # where they come from
    method: str
    version: int
    options: Mapping[str, Option]
    task: str


def of_figure(course: CurriculumCourse, scale: Scale, source: str | None, root: Path) -> Followed:
    """Return the losses of the row's training log if the store holds it, and else the simulated ones."""
    table = load_table(course.table)
    _, cells = cells_of(table, scale, source, root)
    cell = next(cell for cell in cells if cell.label == course.row)
    assert cell.fit is not None  # a row with a curriculum is trained
    store, of_row = Store(root), f"{table.name}, row {course.row}, at scale {scale.name}"
    if store.has("fit", cell.fit_key):
        found = tuple(float(entry["loss"]) for entry in finished.training_log(store, cell.fit_key))
        said = f"Losses: the training log of {of_row} ({len(found):,} steps)."
    else:
        found = simulated(course.simulated)
        run = command("run", table, scale, data_option(table.dataset, source))
        said = (
            f"Losses: simulated ({len(found):,} steps), because the store holds no training log of {of_row}. After "
            f"`{run}`, the curriculum follows the losses of the log."
        )
    return Followed(
        losses=found,
        said=said,
        method=cell.fit.method,
        version=catalog.constants("method", cell.fit.method)["VERSION"],
        options=cell.fit.options,
        task=table.task,
    )


def simulated(loss: SimulatedLoss) -> tuple[float, ...]:
    """Return losses that fall by e^-5 of the way from start to end, with Gaussian noise in proportion to the loss."""
    random = Random(SEED)
    clean = (
        loss.end + (loss.start - loss.end) * math.exp(-5 * step / loss.num_steps) for step in range(loss.num_steps)
    )
    return tuple(max(value * (1 + random.gauss(0, loss.noise)), 0.0) for value in clean)
