"""A sheet in each layout: every row, and where the paper prints it."""

import json

import pytest

from rdtf_bench.core.errors import UnknownNameError
from rdtf_bench.report.sheets import render
from rdtf_bench.spec.load import load_sheet

ROWS = [{"task": "it2v", "known frames": "10000000"}, {"task": "a|b & c_d", "known frames": "10000001"}]


def test_the_rows_are_the_same_in_every_format() -> None:
    sheet = load_sheet("table7")
    assert json.loads(render(sheet, ROWS, format="json")) == ROWS
    assert render(sheet, ROWS, format="csv").splitlines() == [
        "task,known frames",
        "it2v,10000000",
        "a|b & c_d,10000001",
    ]
    assert render(sheet, ROWS, format="md").splitlines()[2:4] == [
        "| it2v | 10000000 |",
        r"| a\|b & c_d | 10000001 |",
    ]
    assert r"a\textbar{}b \& c\_d & 10000001 \\" in render(sheet, ROWS, format="latex").splitlines()
    assert "it2v       10000000" in render(sheet, ROWS, format="text").splitlines()


@pytest.mark.parametrize("format", ["text", "md", "latex"])
def test_the_source_is_named_below(format: str) -> None:
    sheet = load_sheet("table7")
    assert render(sheet, ROWS, format=format).splitlines()[-1].endswith(f"The paper's values: {sheet.source}.")


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="jsn"):
        render(load_sheet("table7"), ROWS, format="jsn")
