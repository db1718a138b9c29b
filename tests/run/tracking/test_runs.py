"""Curves as MLflow takes them. What a run lacks is completed in the tests of table_runs."""

from rdtf_bench.run.table.finished import LogRow
from rdtf_bench.run.tracking.runs import curve


def test_a_curve_has_the_rate_of_every_ten_steps() -> None:
    log: list[LogRow] = [{"step": step, "elapsed_s": step / 4, "loss": 1.0} for step in range(25)]
    rates = [(point.step, point.value) for point in curve(log, 0) if point.key == "train/steps_per_s"]
    assert rates == [(10, 4.0), (20, 4.0)]
    later = [point.step for point in curve(log[5:], 0) if point.key == "train/steps_per_s"]
    assert later == [20]  # the first of these steps was logged before


def test_a_curve_has_the_time_of_each_step_and_no_value_that_is_not_finite() -> None:
    points = curve([{"step": 0, "loss": 1.0}, {"step": 1, "elapsed_s": 2.5, "loss": float("nan")}], 1000)
    assert [(point.key, point.value, point.timestamp, point.step) for point in points] == [
        ("train/loss", 1.0, 1000, 0),
        ("train/elapsed_s", 2.5, 3500, 1),
    ]
