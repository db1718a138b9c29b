"""Measured costs beside the paper's, from a record made by hand."""

import csv
import io
import json
from dataclasses import replace

import pytest

from rdtf_bench.core.errors import UnknownNameError
from rdtf_bench.report.costs import render
from rdtf_bench.report.table.rows import TIDY
from rdtf_bench.run.costs.record import CostRecord, Measured
from rdtf_bench.spec.load import load_costs
from rdtf_bench.spec.schema import CostSpec


def measured(metric: str, value: float, yardstick: str = "denoiser", half: float = 0.0, n: int = 1) -> Measured:
    ends = {"ci_low": value - half, "ci_high": value + half}
    return Measured(label="RDTF", method="rdtf", metric=metric, yardstick=yardstick, value=value, n=n, **ends)


@pytest.fixture
def spec() -> CostSpec:
    return load_costs("table8")


@pytest.fixture
def record(spec: CostSpec) -> CostRecord:
    clip = "1x8x256x256 cpu fp32"
    return CostRecord(
        protocol="table8",
        version=1,
        rows=(
            measured("params", 960_118_452.0),
            measured("params_t5_encoder", 109_600_000.0, "t5_encoder"),
            measured("flops", 1.5e12, "1x8x256x256"),
            measured("seconds", 12.5, clip, half=0.25, n=3),
            measured("peak_memory_gib", 4.25, clip, n=3),
        ),
        readings=tuple(1_000_000_000 + place for place, _ in enumerate(spec.readings)),
        environment={"processor": "a processor", "threads_per_worker": 2, "packages": {"torch": "2.1"}},
        seconds=61.0,
        created="2026-01-01T00:00:00+00:00",
    )


def cells(text: str, label: str) -> list[list[str]]:
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    return [line for line in lines if line[0] == label]


def test_counts_times_and_readings_stand_beside_the_papers(spec: CostSpec, record: CostRecord) -> None:
    counts, times, reading = cells(render(spec, record, format="md"), "RDTF")
    assert counts[3:6] == ["960,118,452", "0.96 B", "109.6 M"]
    assert counts[-1] == "1.50"
    assert times[1:] == ["1x8x256x256 cpu fp32", "12.50 [12.25, 12.75]", "3", "0.39 s", "n/a", "4.2 GiB"]
    assert reading[-1] == "1.0000 B"


def test_what_was_not_measured_of_a_row_is_not_applicable(spec: CostSpec, record: CostRecord) -> None:
    counts, times, _ = cells(render(spec, record, format="md"), "SimDA")
    assert counts[1:4] == ["n/a"] * 3
    assert times[2] == "not run"


def test_latex_has_a_table_for_counts_times_and_readings(spec: CostSpec, record: CostRecord) -> None:
    text = render(spec, record, format="latex")
    assert text.count("\\begin{tabular}") == text.count("\\bottomrule") == 3
    assert "12.50 {\\scriptsize [12.25, 12.75]} & 3 & 0.39 s" in text
    assert "% Measured on a processor with 2 threads and torch 2.1, in 61 s." in text


def test_rows_have_the_columns_of_any_other_table(spec: CostSpec, record: CostRecord) -> None:
    rows = json.loads(render(spec, record, format="json"))
    assert all(tuple(row) == TIDY for row in rows)
    by_metric = {row["metric"]: row for row in rows}
    assert (by_metric["params"]["paper"], by_metric["seconds"]["paper"]) == (0.96e9, 0.39)
    as_read = [row for row in rows if row["metric"] == "params_as_read"]
    assert [row["value"] for row in as_read] == list(record.readings)
    assert all(row["dataset"] is None for row in as_read)
    from_csv = list(csv.DictReader(io.StringIO(render(spec, record, format="csv"))))
    assert [row["metric"] for row in from_csv] == [row["metric"] for row in rows]


def test_before_the_run_nothing_is_made_up(spec: CostSpec) -> None:
    shown = render(spec, None, format="text", options=["--store", "my runs"])
    assert "not run: measure it with `rdtf-bench run table8 --store 'my runs'`." in shown
    assert render(spec, None, format="json") == "[]"


def test_an_unknown_format_is_refused(spec: CostSpec) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'latex'"):
        render(spec, None, format="latx")


def test_a_table_of_ones_own_quotes_no_paper_and_has_notes_of_its_own(spec: CostSpec, record: CostRecord) -> None:
    own = spec.model_copy(
        update={
            "rows": tuple(row.model_copy(update={"paper": {}}) for row in spec.rows),
            "readings": (),
            "notes": ("By hand.",),
        }
    )
    text = render(own, replace(record, readings=()), format="text")
    assert "n/a" in text
    assert "By hand." in text
    assert "the paper exchanged" not in text
    assert "the paper exchanged" in render(spec, record, format="md")
