"""The plan of a table: one line per cell with what the store holds of it, and what is left to do."""

from pathlib import Path

import pytest

from rdtf_bench.core.store import Store, write_text
from rdtf_bench.report.table.plans import plan_text
from rdtf_bench.run.inputs.datasets import Dataset
from rdtf_bench.run.table import schedule, shipped
from rdtf_bench.spec.plan import Cell, DataIdentity
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import TableSpec


@pytest.fixture
def dataset(data: DataIdentity) -> Dataset:
    return Dataset(identity=data, clips={})


def lines_of(text: str, label: str) -> list[str]:
    return next(line for line in text.splitlines() if f"  {label} " in line).split()


def test_a_cell_is_to_do_then_trained_then_done(
    spec: TableSpec, scale: Scale, dataset: Dataset, cells: list[Cell], tmp_path: Path
) -> None:
    rdtf = next(cell for cell in cells if cell.label == "RDTF")
    first = plan_text(spec, scale, dataset, cells, tmp_path)
    assert first.startswith("planted at scale tiny on asg (toy: 640 train, 128 validation, 128 test clips)\n")
    assert lines_of(first, "RDTF")[0] == rdtf.id
    assert lines_of(first, "RDTF")[-2:] == ["to", "do"]
    assert f" {scale.training.num_steps} steps " in first
    assert lines_of(first, "other real clips")[4:6] == ["control", "row"]
    store = Store(tmp_path)
    store.make("fit", rdtf.fit_key, lambda folder: write_text(folder / "fit.json", "{}"))
    assert lines_of(plan_text(spec, scale, dataset, cells, tmp_path), "RDTF")[-1] == "trained"
    store.make("parts", rdtf.score_key("fvd"), lambda folder: write_text(folder / "parts.json", "{}"))
    for metric in rdtf.scores:
        store.make("scores", rdtf.score_key(metric), lambda folder: write_text(folder / "score.json", "{}"))
    assert lines_of(plan_text(spec, scale, dataset, cells, tmp_path), "RDTF")[-1] == "done"


def test_a_row_that_ships_with_the_package_is_said_to(
    spec: TableSpec,
    scale: Scale,
    dataset: Dataset,
    cells: list[Cell],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rdtf = next(cell for cell in cells if cell.label == "RDTF")
    monkeypatch.setattr(shipped, "installable", lambda *_: [rdtf])
    text = plan_text(spec, scale, dataset, cells, tmp_path)
    assert lines_of(text, "RDTF")[-4:] == ["trained,", "ships", "with", "rdtf-bench"]
    assert text.count("ships with") == 1


@pytest.mark.parametrize(("seconds", "said"), [(89.0, "89.0 s"), (120.0, "2.0 min")])
def test_the_expected_time_is_in_seconds_or_minutes(
    spec: TableSpec,
    scale: Scale,
    dataset: Dataset,
    cells: list[Cell],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    seconds: float,
    said: str,
) -> None:
    monkeypatch.setattr(schedule, "expected_seconds", lambda *_: seconds)
    last = plan_text(spec, scale, dataset, cells, tmp_path).splitlines()[-1]
    assert f", in about {said} by the times that the scale states; workers: {scale.workers}" in last


def test_notes_about_the_data_stand_above_the_cells(
    spec: TableSpec, scale: Scale, dataset: Dataset, cells: list[Cell], tmp_path: Path
) -> None:
    lines = plan_text(spec, scale, dataset, cells, tmp_path, ["Data asg: left out other kinds: .avif 3."]).splitlines()
    assert lines[1] == "  Data asg: left out other kinds: .avif 3."
    assert cells[0].id in lines[2]


def test_a_finished_table_has_nothing_left_to_do(
    spec: TableSpec, scale: Scale, dataset: Dataset, cells: list[Cell], tmp_path: Path
) -> None:
    store = Store(tmp_path)
    for cell in cells:
        store.make("parts", cell.score_key("fvd"), lambda folder: write_text(folder / "parts.json", "{}"))
        for metric in cell.scores:
            store.make("scores", cell.score_key(metric), lambda folder: write_text(folder / "score.json", "{}"))
    assert plan_text(spec, scale, dataset, cells, tmp_path).splitlines()[-1] == "nothing left to do"
