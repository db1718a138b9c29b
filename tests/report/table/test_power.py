import dataclasses
import math

import pytest

from rdtf_bench.core.errors import StoreError
from rdtf_bench.core.intervals import difference
from rdtf_bench.report.table.power import Pair, pairs, text
from rdtf_bench.run.record import Record
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import TableSpec


def between(found: list[Pair], metric: str, *rows: str) -> Pair:
    return next(pair for pair in found if pair.metric == metric and set(pair.rows) == set(rows))


def test_every_two_methods_of_every_metric_over_clips(
    spec: TableSpec, scale: Scale, cells: list[Cell], records: dict[str, Record]
) -> None:
    found = pairs(spec, scale, cells, records)
    assert {pair.metric for pair in found} == {"fvd", "vqa", "clip"}
    methods = sum(cell.kind != "control" for cell in cells)
    assert len(found) == 3 * math.comb(methods, 2)
    assert all(row in {cell.label for cell in cells if cell.kind != "control"} for pair in found for row in pair.rows)


def test_n_follows_from_the_paired_deviation(
    spec: TableSpec, scale: Scale, cells: list[Cell], records: dict[str, Record]
) -> None:
    scores = {cell.label: records[cell.id].scores["fvd"] for cell in cells}
    one, other = scores["SimDA"], scores["RDTF"]
    paired = difference(
        one.value, one.without_group, minus=other.value, minus_without_group=other.without_group
    ).deviation
    pair = between(pairs(spec, scale, cells, records), "fvd", "SimDA", "RDTF")
    # (1.960 + 0.8416)^2 = 7.849 (Chow, Shao and Wang 2008, table of z values)
    assert pair.n_ours == math.ceil(128 * 7.8489 * (paired / (one.value - other.value)) ** 2)
    papers = {row.label: row.paper["fvd"].number for row in spec.rows if "fvd" in row.paper}
    proportion = (papers["SimDA"] + papers["RDTF"]) / (one.value + other.value)
    assert pair.paper == pytest.approx(papers[pair.rows[0]] - papers[pair.rows[1]])
    wanted = 128 * 7.8489 * (proportion * paired / (papers["SimDA"] - papers["RDTF"])) ** 2
    assert pair.n_paper == pytest.approx(wanted, rel=1e-3, abs=1)


def test_a_smaller_difference_needs_more_clips_by_its_square(
    spec: TableSpec, scale: Scale, cells: list[Cell], records: dict[str, Record]
) -> None:
    rdtf = next(cell for cell in cells if cell.label == "RDTF")
    simda = next(records[cell.id].scores["vqa"] for cell in cells if cell.label == "SimDA")

    def n_at(gap: float) -> int | None:
        score = dataclasses.replace(records[rdtf.id].scores["vqa"], value=simda.value + gap)
        record = dataclasses.replace(records[rdtf.id], scores={**records[rdtf.id].scores, "vqa": score})
        return between(pairs(spec, scale, cells, {**records, rdtf.id: record}), "vqa", "SimDA", "RDTF").n_ours

    wide, narrow = n_at(0.02), n_at(0.002)
    assert wide is not None
    assert narrow is not None
    assert 100 * (wide - 1) < narrow <= 100 * wide  # whole clips
    assert n_at(0.0) is None


def test_the_text_names_both_and_says_what_n_means(
    spec: TableSpec, scale: Scale, cells: list[Cell], records: dict[str, Record]
) -> None:
    printed = text(pairs(spec, scale, cells, records))
    assert "RDTF" in printed
    assert "in 4 of 5 tries" in printed
    assert "n = 128" in printed


def test_without_records_there_are_no_variances(spec: TableSpec, scale: Scale, cells: list[Cell]) -> None:
    with pytest.raises(StoreError, match="Run: rdtf-bench run planted --scale tiny"):
        pairs(spec, scale, cells, {})
