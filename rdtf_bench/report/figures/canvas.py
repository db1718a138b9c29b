"""Figures of matplotlib without a display and without its global state."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

from rdtf_bench.core.store import written_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def save(figure: "Figure", path: Path) -> Path:
    """Write a figure as a PNG file, whole or not at all, and return its path."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    with written_whole(path) as making:
        figure.savefig(making, format="png")
    return path


def encoded(figure: "Figure") -> bytes:
    """Return a figure as a PNG without a background, for a page that is light or dark."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", transparent=True)
    return buffer.getvalue()


def inked(figure: "Figure", colour: str) -> "Figure":
    """Give text, ticks and axes of a figure this colour, and return the figure."""
    for axes in figure.axes:
        for text in (axes.title, axes.xaxis.label, axes.yaxis.label):
            text.set_color(colour)
        axes.tick_params(which="both", colors=colour)
        axes.spines[:].set_color(colour)
        legend = axes.get_legend()
        for text in legend.get_texts() if legend else []:
            text.set_color(colour)
    return figure
