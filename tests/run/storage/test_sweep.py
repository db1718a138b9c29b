"""What can be removed from a store: neither what is recent nor what a published record needs."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rdtf_bench.core.errors import StoreError
from rdtf_bench.core.store import write_text
from rdtf_bench.run import record
from rdtf_bench.run.record import Record
from rdtf_bench.run.storage import sweep
from rdtf_bench.run.storage.sweep import DAY_S
from rdtf_bench.run.table.context import Bench
from rdtf_bench.spec.plan import Cell
from tests.planted import record as planted_record

LONG_AGO = "2020-01-01T00:00:00+00:00"


def make(bench: Bench, cell: Cell, *, created: str) -> Record:
    """Give a store the samples of a row, 100 days old, and its record."""
    config = {name: cell.as_dict()[name] for name in ("fit", "sample", "scores")}
    made = planted_record(cell_id=cell.id, config=config, created=created)
    record.save(made, record.folder_in(bench.store.root))
    folder = bench.store.make("samples", cell.sample_key, lambda folder: write_text(folder / "x", "1234"))
    _age(folder)
    return made


def _age(folder: Path) -> None:
    then_s = time.time() - 100 * DAY_S
    for path in (folder, *folder.iterdir()):
        os.utime(path, (then_s, then_s))


def found(bench: Bench, results: Path, *, days: float = 30.0) -> list[Path]:
    return [waste.path for waste in sweep.find(bench.store, results=results, days=days)]


def test_what_an_old_record_was_made_from_is_waste_unless_it_is_published(
    planned: tuple[Bench, list[Cell]], tmp_path: Path
) -> None:
    bench, (first, second, *_) = planned
    made = make(bench, first, created=LONG_AGO)
    make(bench, second, created=LONG_AGO)
    results = tmp_path / "results"
    assert set(found(bench, results)) == {bench.store.path("samples", cell.sample_key) for cell in (first, second)}
    record.save(made, results / "table1")
    assert found(bench, results) == [bench.store.path("samples", second.sample_key)]


def test_what_a_recent_record_needs_stays_however_old_it_is(planned: tuple[Bench, list[Cell]], tmp_path: Path) -> None:
    bench, (first, *_) = planned
    make(bench, first, created=datetime.now(UTC).isoformat(timespec="seconds"))
    assert found(bench, tmp_path / "results") == []


def test_what_no_record_needs_yet_stays_while_it_is_recent(planned: tuple[Bench, list[Cell]], tmp_path: Path) -> None:
    bench, _ = planned
    fit = bench.store.make("fit", "new", lambda folder: write_text(folder / "x", "x"))
    work = bench.store.unfinished("fit", "begun")
    assert found(bench, tmp_path) == []
    _age(fit)
    _age(work)
    assert found(bench, tmp_path) == [fit, work]


@pytest.mark.parametrize("kind", ["observed", "costs", "removed"])
def test_work_of_any_kind_that_nobody_finished_is_waste(
    kind: str, planned: tuple[Bench, list[Cell]], tmp_path: Path
) -> None:
    bench, _ = planned
    left = bench.store.unfinished(kind, "left")
    _age(left)
    assert found(bench, tmp_path) == [left]


def test_what_is_found_can_be_removed_and_nothing_else_is(planned: tuple[Bench, list[Cell]], tmp_path: Path) -> None:
    bench, (first, *_) = planned
    make(bench, first, created=LONG_AGO)
    _age(bench.store.make("curves", "other", lambda folder: write_text(folder / "x", "x")))
    _age(bench.store.unfinished("fit", "begun"))
    wasted = sweep.find(bench.store, results=tmp_path / "results", days=30.0)
    assert [(waste.kind, waste.num_bytes > 0) for waste in wasted] == [("samples", True), ("unfinished fit", False)]
    sweep.remove(bench.store, wasted)
    assert not any(waste.path.exists() for waste in wasted)
    assert bench.store.has("curves", "other")
    assert [made.cell_id for made in [record.read(path) for path in record.folder_in(bench.store.root).iterdir()]] == [
        first.id
    ]


def test_nothing_is_found_while_a_record_cannot_be_read(planned: tuple[Bench, list[Cell]], tmp_path: Path) -> None:
    bench, (first, *_) = planned
    make(bench, first, created=LONG_AGO)
    write_text(record.folder_in(bench.store.root) / "damaged.json", "{")
    with pytest.raises(StoreError, match=r"damaged\.json: is not a record"):
        sweep.find(bench.store, results=tmp_path / "results", days=30.0)
