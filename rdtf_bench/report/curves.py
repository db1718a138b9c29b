"""Loss curves of all trained rows in one picture, drawn by matplotlib without a display or global state."""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path

SMOOTHED_OVER = 1 / 20
"""Part of the curve that a smoothed point is the mean of."""


def draw(logs: Mapping[str, Sequence[Mapping[str, int | float]]], *, path: Path) -> Path:
    """A PNG of the `loss` of each row's steps, pale, and its trailing mean; the axis is logarithmic, so losses are
    above 0."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    for index, (row, log) in enumerate(logs.items()):
        steps = [entry["step"] for entry in log]
        losses = [float(entry["loss"]) for entry in log]
        axes.plot(steps, losses, color=f"C{index}", alpha=0.25, linewidth=0.8)
        axes.plot(steps, smoothed(losses), color=f"C{index}", linewidth=1.6, label=row)
    axes.set(xlabel="training step", ylabel="loss", yscale="log")
    axes.grid(visible=True, which="both", alpha=0.2)
    if logs:
        axes.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    half_written = path.with_name(f".{path.name}.tmp")
    figure.savefig(half_written, format="png")
    half_written.replace(path)
    return path


def smoothed(losses: Sequence[float]) -> list[float]:
    """The mean of the last steps, of fewer at the start.

    >>> smoothed([1.0, 3.0])
    [1.0, 3.0]
    >>> smoothed([0.0] * 39 + [2.0])[-1]
    1.0
    """
    window = max(1, round(len(losses) * SMOOTHED_OVER))
    sums = [0.0, *accumulate(losses)]
    return [(sums[end] - sums[max(0, end - window)]) / min(end, window) for end in range(1, len(losses) + 1)]
