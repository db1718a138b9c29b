"""Figures of matplotlib as pictures of a page, one version for light and one for dark pages."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from rdtf_bench.report.figures import canvas
from rdtf_bench.report.page.clips import data_uri

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK = {"light": "#1f2328", "dark": "#e6edf3"}
"""Colour of text and axes on a light and on a dark page."""


@dataclass(frozen=True, kw_only=True)
class Plot:
    """One figure, for a light and for a dark page."""

    title: str
    alt: str
    light: Markup  # data URI
    dark: Markup
    width_px: int
    height_px: int


def plot(title: str, alt: str, figure: "Figure") -> Plot:
    """Return a figure with text and axes in the ink of each kind of page."""
    width, height = figure.get_size_inches() * figure.dpi
    light, dark = (data_uri("image/png", canvas.encoded(canvas.inked(figure, ink))) for ink in INK.values())
    return Plot(title=title, alt=alt, light=light, dark=dark, width_px=round(width), height_px=round(height))
