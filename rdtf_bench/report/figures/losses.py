"""Draw training logs and write them as CSV: losses, and the course of a curriculum."""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from rdtf_bench.core.store import Store, write_text
from rdtf_bench.report import layouts
from rdtf_bench.report.figures import canvas
from rdtf_bench.run.table import finished
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.schema import TableSpec

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Log = Sequence[Mapping[str, int | float]]
"""One entry per training step."""

Logs = Mapping[str, Log]
"""Logs by the row's label."""

SMOOTHED_OVER = 1 / 20
"""Share of the curve over which a smoothed point averages."""

CURRICULUM_LINES = {
    "task weight": {f"weight_{name}": name for name in ("interpolation", "prediction", "generation")},
    "level": {"target_level": "target", "expected_level": "expected", "realised_level": "realised (batch mean)"},
    "loss": {"loss": "loss", "loss_history": "history"},
}
"""Panels of `draw_curricula`: panel -> name in the log -> legend."""

LINE_STYLES = ("-", "--", ":")
"""Line styles of the first ten curves, the next ten and the rest, because matplotlib has ten colours."""

CURVES_SHOWN = 10 * len(LINE_STYLES)
"""Number of curves of a panel, which can still be told apart; the CSV has all of them."""
LEGEND_LINE_IN = 0.2
"""Height of one line of the legend, in inches."""

NOISY = ("realised_level", "loss")
CURRICULA_SHOWN = 6
"""Number of rows drawn side by side; the CSV has all of them."""


def logs_of(cells: Sequence[Cell], store: Store) -> Logs:
    """Return the log of every row that the store holds trained, if only for a step, by the cell's name."""
    return {
        cell.name: log
        for cell in cells
        if cell.fit is not None
        and store.has("fit", cell.fit_key)
        and (log := finished.training_log(store, cell.fit_key))
    }


def panels_of(spec: TableSpec, cells: Sequence[Cell], logs: Logs) -> dict[str, Logs]:
    """Return the logs of each panel of a table by its title; one panel without a title where it names none.

    Of a row with several seeds, the first is shown. A panel without logs is left out.
    """
    first = {cell.label: cell.name for cell in reversed(cells)}
    panels: dict[str, Logs] = {
        panel.title: of
        for panel in spec.panels
        if (of := {row: logs[first[row]] for row in panel.rows if first[row] in logs})
    }
    return panels or {"": logs}


def draw(panels: Mapping[str, Logs], *, path: Path) -> Path:
    """Write `losses_of` as a PNG file and return its path."""
    return canvas.save(losses_of(panels), path)


def losses_of(panels: Mapping[str, Logs]) -> "Figure":
    """Draw the panels side by side: the `loss` of each training, pale, and its trailing mean.

    The axis is logarithmic, so losses must be above 0.
    """
    from matplotlib.figure import Figure

    drawn = {title: by_training(logs) for title, logs in panels.items()}
    most = min(max(map(len, drawn.values())), CURVES_SHOWN)
    height = max(4.5, 1.5 + LEGEND_LINE_IN * most)  # a legend that is higher than its figure leaves no room for axes
    figure = Figure(figsize=(9 * len(drawn), height), dpi=120, layout="constrained")
    for axes, (title, logs) in zip(figure.subplots(1, len(drawn), squeeze=False)[0], drawn.items(), strict=True):
        _draw_panel(axes, title, logs)
    return figure


def _draw_panel(axes: "Axes", title: str, logs: Logs) -> None:
    for index, (row, log) in enumerate(list(logs.items())[:CURVES_SHOWN]):
        losses, steps = _values(log, "loss"), _values(log, "step")
        axes.plot(steps, losses, color=f"C{index}", alpha=0.25, linewidth=0.8)
        style = LINE_STYLES[index // 10]
        axes.plot(steps, smoothed(losses), color=f"C{index}", linestyle=style, linewidth=1.6, label=row)
    axes.set(xlabel="training step", ylabel="loss", yscale="log", title=title)
    axes.grid(visible=True, which="both", alpha=0.2)
    if logs:  # beside the curves: an ablation has up to twenty
        said = f"{CURVES_SHOWN} of {len(logs)} trainings" if len(logs) > CURVES_SHOWN else None
        axes.legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1, 1), title=said)


def by_training(logs: Logs) -> dict[str, Log]:
    """Return each training once, by the label of its first row and the number of further rows that share it.

    Rows share a training where they differ in sampling alone. Their logs are equal, seconds included.
    """
    trainings: list[tuple[Log, list[str]]] = []
    for row, log in logs.items():
        sharing = next((rows for other, rows in trainings if other == log), None)
        if sharing is None:
            trainings.append((log, [row]))
        else:
            sharing.append(row)
    return {rows[0] + (f" and {len(rows) - 1} more" if rows[1:] else ""): log for log, rows in trainings}


def draw_curricula(logs: Logs, *, path: Path) -> Path:
    """Write `curricula_of` as a PNG file and return its path."""
    return canvas.save(curricula_of(logs), path)


def curricula_of(logs: Logs) -> "Figure":
    """Draw one column per row: task weights, target and realised level, and the loss with its history.

    This is Figure 5 of the paper and the right side of its Table 4. `with_curriculum` finds the rows that can be drawn.
    """
    from matplotlib.figure import Figure

    shown = list(logs.items())[:CURRICULA_SHOWN]
    figure = Figure(figsize=(4 * len(shown), 7.5), dpi=120, layout="constrained")
    columns = figure.subplots(3, len(shown), squeeze=False, sharex=True, sharey="row").T
    for column, (row, log) in zip(columns, shown, strict=True):
        column[0].set(title=row, ylim=(0, 1))
        for axes, (label, lines) in zip(column, CURRICULUM_LINES.items(), strict=True):
            for index, (name, legend) in enumerate(lines.items()):
                if having := [entry for entry in log if name in entry]:  # there is no history at the first step
                    values = _values(having, name)
                    drawn = smoothed(values) if name in NOISY else values
                    axes.plot(_values(having, "step"), drawn, color=f"C{index}", linewidth=1.4, label=legend)
            axes.set(ylabel=label)
            axes.grid(visible=True, alpha=0.2)
            axes.legend(frameon=False, fontsize="small")
        column[-1].set(xlabel="training step")
    return figure


def with_curriculum(logs: Logs) -> dict[str, Log]:
    """Return the logs of the trainings that followed a curriculum, each once."""
    return by_training({row: log for row, log in logs.items() if log and "weight_interpolation" in log[0]})


def write_csv(logs: Logs, *, path: Path) -> Path:
    """Write the logs as a tidy table: `row`, `step` and every value that any log has; absent values stay empty."""
    names = list(dict.fromkeys(["row", *(name for log in logs.values() for entry in log for name in entry)]))
    rows = ({**entry, "row": row} for row, log in logs.items() for entry in log)
    write_text(path, layouts.as_csv(rows, names) + "\n")
    return path


def _values(log: Log, name: str) -> list[float]:
    return [float(entry[name]) for entry in log]


def smoothed(losses: Sequence[float]) -> list[float]:
    """Return the trailing mean of the losses, over fewer steps at the start.

    >>> smoothed([1.0, 3.0])
    [1.0, 3.0]
    >>> smoothed([0.0] * 39 + [2.0])[-1]
    1.0
    """
    window = max(1, round(len(losses) * SMOOTHED_OVER))
    sums = [0.0, *accumulate(losses)]
    return [(sums[end] - sums[max(0, end - window)]) / min(end, window) for end in range(1, len(losses) + 1)]
