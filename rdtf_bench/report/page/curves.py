"""Training curves of a table as pictures of a page: losses, and the course of each curriculum. No torch."""

from collections.abc import Iterator, Sequence

from rdtf_bench.core.store import Store
from rdtf_bench.report.figures import losses
from rdtf_bench.report.page.plots import Plot, plot
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.schema import TableSpec


def curves(spec: TableSpec, cells: Sequence[Cell], store: Store) -> list[Plot]:
    """Return the curves of the trainings that the store holds; none if it holds none."""
    logs = losses.logs_of(cells, store)
    return list(_plots(spec, cells, logs)) if logs else []


def _plots(spec: TableSpec, cells: Sequence[Cell], logs: losses.Logs) -> Iterator[Plot]:
    for title, of_panel in losses.panels_of(spec, cells, logs).items():
        heading = f"Training loss: {title}" if title else "Training loss"
        yield plot(heading, _loss_alt(losses.by_training(of_panel)), losses.losses_of({"": of_panel}))
    if curricula := losses.with_curriculum(logs):
        alt = f"Curves of task weights, levels and losses of the curriculum of {', '.join(curricula)}."
        yield plot("Curriculum", alt, losses.curricula_of(curricula))


def _loss_alt(logs: losses.Logs) -> str:
    """Say where each smoothed curve starts and ends."""
    ends = []
    for row, log in logs.items():
        smoothed = losses.smoothed([float(entry["loss"]) for entry in log])
        ends.append(f"{row} from {smoothed[0]:.3g} to {smoothed[-1]:.3g}")
    return f"Curves of the training loss over the steps, smoothed: {'; '.join(ends)}."
