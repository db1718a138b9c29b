"""Loss curves: every row is drawn, and smoothing is a trailing mean."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rdtf_bench.report.figures.losses import (
    CURVES_SHOWN,
    by_training,
    draw,
    draw_curricula,
    losses_of,
    smoothed,
    with_curriculum,
    write_csv,
)


def test_every_row_is_drawn_in_its_colour(tmp_path: Path) -> None:
    logs = {
        label: [{"step": step, "loss": start / (step + 1)} for step in range(60)]
        for label, start in (("RDTF", 1.0), ("SimDA", 3.0))
    }
    path = draw({"": logs}, path=tmp_path / "pictures" / "loss.png")
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    for colour in ((31, 119, 180), (255, 127, 14)):  # matplotlib's C0 and C1
        assert (np.abs(pixels - colour).max(-1) < 8).sum() > 200


def test_smoothing_is_the_mean_of_the_last_twentieth() -> None:
    losses = [float(step) for step in range(40)]
    assert smoothed(losses)[:3] == [0.0, 0.5, 1.5]
    assert smoothed(losses)[-1] == pytest.approx(38.5)


def test_no_curve_is_no_error(tmp_path: Path) -> None:
    assert draw({"": {}}, path=tmp_path / "loss.png").is_file()


def test_panels_stand_side_by_side(tmp_path: Path) -> None:
    log = [{"step": step, "loss": 1.0} for step in range(3)]
    one = draw({"left": {"RDTF": log}}, path=tmp_path / "one.png")
    two = draw({"left": {"RDTF": log}, "right": {"SimDA": log}}, path=tmp_path / "two.png")
    with Image.open(one) as narrow, Image.open(two) as wide:
        assert (wide.width, wide.height) == (2 * narrow.width, narrow.height)


def test_rows_that_share_a_training_are_drawn_once() -> None:
    one, other = ([{"step": 0, "elapsed_s": seconds, "loss": 1.0}] for seconds in (1.0, 2.0))
    logs = {"RDTF, eta 0": one, "SimDA": other, "RDTF, eta 1": list(one), "RDTF, eta 0.5": list(one)}
    assert by_training(logs) == {"RDTF, eta 0 and 2 more": one, "SimDA": other}


@pytest.mark.parametrize("trainings", [36, 60])
def test_many_trainings_leave_room_for_their_curves(trainings: int, tmp_path: Path) -> None:
    logs = {
        f"Customize-A-Video, learning rate 0.0015, seed {row}": [
            {"step": step, "loss": 1.0 + row / (step + 1)} for step in range(5)
        ]
        for row in range(trainings)
    }
    figure = losses_of({"": logs})
    draw({"": logs}, path=tmp_path / "loss.png")  # warnings are errors
    legend = figure.axes[0].get_legend()
    assert legend is not None
    assert len(legend.get_texts()) == CURVES_SHOWN
    assert legend.get_title().get_text() == f"30 of {trainings} trainings"


def curriculum_log(level: float) -> list[dict[str, int | float]]:
    weights = {"weight_interpolation": 0.5, "weight_prediction": 0.3, "weight_generation": 0.2}
    levels = {"target_level": level, "expected_level": level, "realised_level": level, "loss_history": 1.0}
    log: list[dict[str, int | float]] = [{"step": step, "loss": 1.0, **weights, **levels} for step in range(5)]
    del log[0]["loss_history"]  # nothing is behind the first step
    return log


def test_curricula_are_drawn_a_column_a_row_and_rows_without_one_are_left_out(tmp_path: Path) -> None:
    logs = {"RDTF": curriculum_log(2.0), "SimDA": [{"step": 0, "loss": 1.0}], "LCL": curriculum_log(4.0)}
    found = with_curriculum(logs)
    assert list(found) == ["RDTF", "LCL"]
    path = draw_curricula(found, path=tmp_path / "curriculum.png")
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    half = pixels.shape[1] // 2
    for side in (pixels[:, :half], pixels[:, half:]):
        assert (np.abs(side - (31, 119, 180)).max(-1) < 8).sum() > 50


def test_the_csv_has_every_value_of_every_row(tmp_path: Path) -> None:
    logs = {"RDTF": curriculum_log(2.0), "SimDA": [{"step": 0, "loss": 0.25}]}
    with write_csv(logs, path=tmp_path / "loss.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert rows[0]["target_level"] == "2.0"
    assert [row["loss_history"] for row in rows[:2]] == ["", "1.0"]
    assert (rows[-1]["row"], rows[-1]["loss"], rows[-1]["target_level"]) == ("SimDA", "0.25", "")


def test_a_logged_value_cannot_take_the_rows_name(tmp_path: Path) -> None:
    logs = {"DCL as released": [{"step": 0, "row": 4.0, "loss": 1.0}]}
    with write_csv(logs, path=tmp_path / "loss.csv").open(newline="") as file:
        assert list(csv.DictReader(file)) == [{"row": "DCL as released", "step": "0", "loss": "1.0"}]
