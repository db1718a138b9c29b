"""A published table against a measured one; the numbers are planted, so nothing is trained here."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import pytest

from rdtf_bench.core import intervals
from rdtf_bench.report.table.publish import publish
from rdtf_bench.report.table.regression import TOLERANCE, compare, text
from rdtf_bench.run import record
from rdtf_bench.run.record import Record
from rdtf_bench.run.table import execute
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import TableSpec
from tests.command_line import rdtf_bench


def moved(record: Record, metric: str, by: float, **fields: object) -> Record:
    """Return it with the value of one score changed by so many of its jackknife deviations."""
    score = record.scores[metric]
    step = by * intervals.deviation(score.without_group) if score.without_group else by
    changed = dataclasses.replace(score, value=score.value + step, **fields)  # type: ignore[arg-type]
    return dataclasses.replace(record, scores={**record.scores, metric: changed})


def faults(cells: list[Cell], then: dict[str, Record], now: dict[str, Record]) -> dict[tuple[str, str], str]:
    return {(found.row, found.metric): found.fault for found in compare(cells, then, cells, now) if found.fault}


def test_equal_tables_stand(cells: list[Cell], records: dict[str, Record]) -> None:
    assert faults(cells, records, records) == {}
    assert len(compare(cells, records, cells, records)) == sum(len(record.scores) for record in records.values())


@pytest.mark.parametrize(("by", "fault"), [(0.9, {}), (-0.9, {}), (1.1, {("RDTF", "fvd"): "moved"})])
def test_a_tenth_of_its_deviation_is_what_a_number_may_move(
    by: float, fault: dict[tuple[str, str], str], cells: list[Cell], records: dict[str, Record]
) -> None:
    rdtf = next(cell.id for cell in cells if cell.label == "RDTF")
    assert faults(cells, records, {**records, rdtf: moved(records[rdtf], "fvd", by * TOLERANCE)}) == fault


def test_what_is_counted_may_not_move_at_all(cells: list[Cell], records: dict[str, Record]) -> None:
    rdtf = next(cell.id for cell in cells if cell.label == "RDTF")
    assert faults(cells, records, {**records, rdtf: moved(records[rdtf], "params", 1.0)}) == {
        ("RDTF", "params"): "moved"
    }


def test_other_yardsticks_clips_and_rows_are_said(cells: list[Cell], records: dict[str, Record]) -> None:
    rdtf = next(cell.id for cell in cells if cell.label == "RDTF")
    other = {**records, rdtf: moved(moved(records[rdtf], "vqa", 0.0, yardstick="x"), "fvd", 0.0, n=9)}
    found = faults(cells, records, other)
    assert found["RDTF", "vqa"].endswith("'x' now")
    assert "another number of clips: 128 then, 9 now" in found["RDTF", "fvd"]
    without = {cell_id: one for cell_id, one in records.items() if cell_id != rdtf}
    assert {fault for fault in faults(cells, records, without).values()} == {"is not measured any more"}
    assert {fault for fault in faults(cells, without, records).values()} == {"is new: publish it"}


def test_a_row_is_found_by_its_label_whatever_its_identity(cells: list[Cell], records: dict[str, Record]) -> None:
    later = [dataclasses.replace(cell, sample=cell.sample.model_copy(update={"task": "another"})) for cell in cells]
    measured = {new.id: records[old.id] for old, new in zip(cells, later, strict=True)}
    assert [found.fault for found in compare(cells, records, later, measured) if found.fault] == []


def test_the_text_has_a_line_a_number(cells: list[Cell], records: dict[str, Record]) -> None:
    lines = text(compare(cells, records, cells, records)).splitlines()
    assert lines[0].split() == ["row", "metric", "published", "now", "tolerance"]
    assert all(line.endswith("stands") for line in lines[2:])


def check(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str]:
    return rdtf_bench(monkeypatch, capsys, "check", "--quiet", *options)


def test_the_command_has_a_status_of_its_own(
    spec: TableSpec,
    scale: Scale,
    cells: list[Cell],
    records: dict[str, Record],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    results = ("--results", str(tmp_path / "results"))
    status, printed = check(monkeypatch, capsys, *results)
    assert status == 6
    assert "nothing was published there to compare with. Publish first: rdtf-bench run ci --scale ci" in printed
    for one in records.values():
        record.save(one, record.folder_in(tmp_path / "runs"))
    named = (spec.model_copy(update={"name": "ci"}), scale.model_copy(update={"name": "ci"}))
    publish(*named, cells, store=tmp_path / "runs", results=tmp_path / "results")
    rdtf = next(cell.id for cell in cells if cell.label == "RDTF")
    for measured, wanted, said in (
        (records, 0, "RDTF"),
        ({**records, rdtf: moved(records[rdtf], "fvd", 1.0)}, 7, "1 of 27 numbers do not stand"),
    ):
        outcome = SimpleNamespace(cells=cells, records=measured)
        monkeypatch.setattr(execute, "run", lambda *_, outcome=outcome, **__: outcome)
        status, printed = check(monkeypatch, capsys, *results)
        assert status == wanted
        assert said in printed
    assert "RDTF fvd moved" in printed
