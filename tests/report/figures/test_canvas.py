"""Figures as PNG files."""

import io
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image

from rdtf_bench.report.figures import canvas


def test_a_figure_is_a_png_of_its_size_and_replaces_the_earlier_one(tmp_path: Path) -> None:
    for inches in (2, 3):
        figure = Figure(figsize=(inches, 1), dpi=50)
        path = canvas.save(figure, tmp_path / "pictures" / "loss.png")
        with Image.open(path) as image:
            assert (image.format, image.size) == ("PNG", (50 * inches, 50))
    assert [found.name for found in path.parent.iterdir()] == ["loss.png"]


def test_an_encoded_figure_has_no_background() -> None:
    with Image.open(io.BytesIO(canvas.encoded(Figure(figsize=(2, 1), dpi=50)))) as image:
        assert (image.format, image.size) == ("PNG", (100, 50))
        assert image.getchannel("A").getextrema() == (0, 0)


def test_an_inked_figure_has_its_text_and_axes_in_that_colour() -> None:
    figure = Figure()
    axes = figure.subplots()
    axes.plot([0, 1], label="RDTF", color="#ff0000")
    axes.set(xlabel="step", title="loss")
    axes.legend()
    canvas.inked(figure, "#e6edf3")
    legend = axes.get_legend()
    assert legend is not None
    words = [axes.title, axes.xaxis.label, axes.xaxis.get_ticklabels()[0], legend.get_texts()[0]]
    assert {word.get_color() for word in words} == {"#e6edf3"}
    assert axes.lines[0].get_color() == "#ff0000"
