"""Draw training logs and write them as CSV: losses, and the course of a curriculum."""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING

from rdtf_bench.core.store import write_text
from rdtf_bench.report import layouts
from rdtf_bench.report.figures import canvas

if TYPE_CHECKING:
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
"""Line styles of the first ten rows, the next ten and the rest, because matplotlib has ten colours."""

NOISY = ("realised_level", "loss")
CURRICULA_SHOWN = 6
"""Number of rows drawn side by side; the CSV has all of them."""


def draw(panels: Mapping[str, Logs], *, path: Path) -> Path:
    """Write `losses_of` as a PNG file and return its path."""
    return canvas.save(losses_of(panels), path)


def losses_of(panels: Mapping[str, Logs]) -> "Figure":
    """Draw the panels side by side: the `loss` of each row, pale, and its trailing mean.

    The axis is logarithmic, so losses must be above 0.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9 * len(panels), 4.5), dpi=120, layout="constrained")
    for axes, (title, logs) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        for index, (row, log) in enumerate(logs.items()):
            losses = _values(log, "loss")
            axes.plot(_values(log, "step"), losses, color=f"C{index}", alpha=0.25, linewidth=0.8)
            style = LINE_STYLES[min(index // 10, 2)]
            axes.plot(
                _values(log, "step"), smoothed(losses), color=f"C{index}", linestyle=style, linewidth=1.6, label=row
            )
        axes.set(xlabel="training step", ylabel="loss", yscale="log", title=title)
        axes.grid(visible=True, which="both", alpha=0.2)
        if logs:  # beside the curves: an ablation has up to twenty
            axes.legend(frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(1, 1))
    return figure


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
    """Return the logs of the rows that were trained with a curriculum."""
    return {row: log for row, log in logs.items() if log and "weight_interpolation" in log[0]}


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
