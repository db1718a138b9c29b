"""Loss curves: every row is drawn, and smoothing is a trailing mean."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rdtf_bench.report.curves import draw, smoothed


def test_every_row_is_drawn_in_its_colour(tmp_path: Path) -> None:
    logs = {
        label: [{"step": step, "loss": start / (step + 1)} for step in range(60)]
        for label, start in (("RDTF", 1.0), ("SimDA", 3.0))
    }
    path = draw(logs, path=tmp_path / "pictures" / "loss.png")
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    for colour in ((31, 119, 180), (255, 127, 14)):  # matplotlib's C0 and C1
        assert (np.abs(pixels - colour).max(-1) < 8).sum() > 200


def test_smoothing_is_the_mean_of_the_last_twentieth() -> None:
    losses = [float(step) for step in range(40)]
    assert smoothed(losses)[:3] == [0.0, 0.5, 1.5]
    assert smoothed(losses)[-1] == pytest.approx(38.5)


def test_no_curve_is_no_error(tmp_path: Path) -> None:
    assert draw({}, path=tmp_path / "loss.png").is_file()
