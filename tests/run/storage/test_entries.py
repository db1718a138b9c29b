"""Which entries of a store a record was made from."""

from dataclasses import replace
from pathlib import Path

import pytest

from rdtf_bench.core.errors import StoreError
from rdtf_bench.core.store import write_text
from rdtf_bench.run import record
from rdtf_bench.run.record import Record
from rdtf_bench.run.storage.entries import Entry, held, of_record, records, require_store
from rdtf_bench.run.table.context import Bench
from rdtf_bench.spec.identities import QualityScore
from rdtf_bench.spec.plan import Cell
from tests.planted import record as planted_record


def recorded(cell: Cell) -> Record:
    config = {name: cell.as_dict()[name] for name in ("fit", "sample", "scores")}
    return planted_record(cell_id=cell.id, config=config)


def test_a_trained_row_needs_weights_clips_observations_scores_and_training_clips(
    planned: tuple[Bench, list[Cell]],
) -> None:
    bench, cells = planned
    cell = next(cell for cell in cells if cell.method == "rdtf")
    fvd = cell.scores["fvd"]
    assert isinstance(fvd, QualityScore)
    found = of_record(recorded(cell), bench.store)
    assert {entry.key for entry in found if entry.kind == "scores"} == {one.key for one in cell.scores.values()}
    assert found >= {
        Entry("fit", cell.fit_key),
        Entry("samples", cell.id),
        Entry("clips", bench.real["test"]),
        Entry("observations", fvd.observation_key(fvd.fake)),
        Entry("observations", fvd.observation_key(fvd.real)),
        Entry("training_clips", bench.training.identity.key),
    }


def test_other_real_clips_need_the_clips_of_their_split(planned: tuple[Bench, list[Cell]]) -> None:
    bench, cells = planned
    cell = next(cell for cell in cells if cell.method == "other_real_clips")
    (split,) = set(bench.real) - {"test"}
    found = of_record(recorded(cell), bench.store)
    assert Entry("clips", bench.real[split]) in found
    assert {entry.kind for entry in found}.isdisjoint({"fit", "training_clips"})


def test_every_finished_folder_is_an_entry_and_unfinished_work_is_none(planned: tuple[Bench, list[Cell]]) -> None:
    store = planned[0].store
    for kind, key in (("samples", "one"), ("curves", "two")):
        store.make(kind, key, lambda folder: write_text(folder / "x", "x"))
    store.unfinished("fit", "three")
    assert held(store) == [Entry("samples", "one"), Entry("curves", "two")]


def test_a_record_that_cannot_be_read_is_left_out(planned: tuple[Bench, list[Cell]]) -> None:
    store = planned[0].store
    made = replace(recorded(planned[1][0]), format_version=record.FORMAT_VERSION)
    path = record.save(made, record.folder_in(store.root))
    write_text(path.with_name("damaged.json"), "{")
    assert records(store) == [made]


def test_a_folder_that_is_no_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no store"):
        require_store(tmp_path)
