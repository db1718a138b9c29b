"""Curves of a metric over the strength of faults, as tables, rows and pictures."""

import csv
import io
import json
from pathlib import Path

import pytest
from PIL import Image

from rdtf_bench.core.errors import UnknownNameError
from rdtf_bench.report.validity import curves as report
from rdtf_bench.run.validity.plan import CurveRecord
from rdtf_bench.spec.load import load_validity
from rdtf_bench.spec.schema import ValiditySpec


@pytest.fixture
def spec() -> ValiditySpec:
    return load_validity("metric-validity")


def record(fault: str, *, seen: bool) -> CurveRecord:
    return CurveRecord(
        metric="fvd",
        label="FVD",
        yardstick="enet-lite0 64px",
        higher_is_better=False,
        fault=fault,
        strengths=(0.0, 1.0),
        values=(10.0, 20.0, 30.0 if seen else 5.0),
        rank_correlation=1.0 if seen else -0.5,
        is_seen=seen,
        n=64,
    )


def test_values_that_do_not_follow_the_strength_are_marked(spec: ValiditySpec) -> None:
    lines = report.render(spec, [record("blur", seen=True), record("drop", seen=False)], format="text").splitlines()
    (blur,) = [line for line in lines if line.startswith("blur")]
    (drop,) = [line for line in lines if line.startswith("drop")]
    assert blur.split() == ["blur", "10.0", "20.0", "30.0", "+1.00"]
    assert drop.split() == ["drop", "10.0", "20.0", "5.0", "-0.50", "out", "of", "order"]


def test_rows_hold_every_value(spec: ValiditySpec) -> None:
    found = [record("blur", seen=True)]
    rows = json.loads(report.render(spec, found, format="json"))
    assert [(row["strength"], row["value"]) for row in rows] == [(None, 10.0), (0.0, 20.0), (1.0, 30.0)]
    assert rows[0]["seen"] is True
    tidy = list(csv.DictReader(io.StringIO(report.render(spec, found, format="csv"))))
    assert [row["strength"] for row in tidy] == ["", "0.0", "1.0"]
    with pytest.raises(UnknownNameError, match="there is no format 'xml'"):
        report.render(spec, found, format="xml")


def test_curves_are_tables_of_markdown_and_latex(spec: ValiditySpec) -> None:
    found = [record("blur", seen=True), record("drop", seen=False)]
    assert "| drop | 10.0 | 20.0 | 5.0 | -0.50 | out of order |" in report.render(spec, found, format="md").splitlines()
    latex = report.render(spec, found, format="latex").splitlines()
    assert r"drop & 10.0 & 20.0 & 5.0 & $-$0.50 & out of order \\" in latex


def test_each_metric_has_a_picture(tmp_path: Path) -> None:
    (path,) = report.draw([record("blur", seen=True), record("drop", seen=False)], (), tmp_path / "pictures")
    assert path.name == "fvd.png"
    with Image.open(path) as image:
        assert min(image.size) > 200
