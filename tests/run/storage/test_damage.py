"""Damaged entries are found by their hashes, and what hangs on them is removed with them."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from rdtf_bench.core.store import HASHES, Store, write_text
from rdtf_bench.run.storage.damage import faults, mend, unreadable_records
from rdtf_bench.run.storage.entries import Entry, held
from rdtf_bench.run.table.context import Bench
from rdtf_bench.spec.identities import QualityScore
from rdtf_bench.spec.plan import Cell


def entries_of(bench: Bench, cells: list[Cell]) -> Iterator[Entry]:
    yield from (Entry("clips", key) for key in bench.real.values())
    yield Entry("training_clips", bench.training.identity.key)
    for cell in cells:
        yield Entry("samples", cell.sample_key)
        if cell.fit is not None:
            yield Entry("fit", cell.fit_key)
        for score in cell.scores.values():
            yield from (Entry(kind, score.key) for kind in ("scores", "parts"))
            if isinstance(score, QualityScore):
                yield from (Entry("observations", score.observation_key(of)) for of in (score.fake, score.real))


@pytest.fixture
def full(planned: tuple[Bench, list[Cell]]) -> tuple[Bench, list[Cell]]:
    """Return a store that holds every entry of three rows of table1, each with one small file."""
    bench, every = planned
    cells = [cell for cell in every if cell.method in ("rdtf", "simda", "static")]
    for entry in entries_of(bench, cells):
        bench.store.make(entry.kind, entry.key, partial(_write, entry=entry))
    return bench, cells


def _write(folder: Path, *, entry: Entry) -> None:
    write_text(folder / "file.txt", f"{entry.kind} {entry.key}")


def damage(store: Store, kind: str, key: str) -> None:
    (store.path(kind, key) / "file.txt").write_text("other bytes")


def mended(bench: Bench, cells: list[Cell]) -> tuple[list[str], set[Entry]]:
    """Return what was wrong and the entries that were removed."""
    before = set(held(bench.store))
    found = mend(bench.store, cells, bench.real.values(), bench.training.identity.key)
    return found, before - set(held(bench.store))


def seen(cell: Cell) -> set[Entry]:
    """Return the entries that metrics made of the clips of a row."""
    quality = [score for score in cell.scores.values() if isinstance(score, QualityScore)]
    observed = {Entry("observations", score.observation_key(score.fake)) for score in quality}
    return observed | {Entry(kind, score.key) for kind in ("scores", "parts") for score in quality}


def row(cells: list[Cell], method: str) -> Cell:
    return next(cell for cell in cells if cell.method == method)


def test_a_whole_store_keeps_everything(full: tuple[Bench, list[Cell]]) -> None:
    assert mended(*full) == ([], set())


def test_without_its_clips_a_row_is_sampled_and_scored_again(full: tuple[Bench, list[Cell]]) -> None:
    bench, cells = full
    cell = row(cells, "rdtf")
    damage(bench.store, "samples", cell.sample_key)
    found, removed = mended(bench, cells)
    assert removed == {Entry("samples", cell.sample_key), *seen(cell)}
    path = bench.store.path("samples", cell.sample_key) / "file.txt"
    assert found == [f"{path} has other bytes than when it was written"]


def test_without_its_weights_a_row_is_made_again(full: tuple[Bench, list[Cell]]) -> None:
    bench, cells = full
    cell = row(cells, "simda")
    (bench.store.path("fit", cell.fit_key) / "file.txt").unlink()
    found, removed = mended(bench, cells)
    assert removed == {Entry("fit", cell.fit_key), Entry("samples", cell.sample_key), *seen(cell)}
    assert [fault.rpartition(" ")[2] for fault in found] == ["absent"]


def test_a_damaged_score_is_removed_alone(full: tuple[Bench, list[Cell]]) -> None:
    bench, cells = full
    key = row(cells, "rdtf").score_key("vqa")
    damage(bench.store, "scores", key)
    assert mended(bench, cells)[1] == {Entry("scores", key)}


def test_without_the_real_clips_every_row_is_scored_again(full: tuple[Bench, list[Cell]]) -> None:
    bench, cells = full
    damage(bench.store, "clips", bench.real["test"])
    removed = mended(bench, cells)[1]
    assert removed == {Entry("clips", bench.real["test"])}.union(*(seen(cell) for cell in cells))


def test_a_list_of_hashes_that_is_damaged_is_damage(full: tuple[Bench, list[Cell]]) -> None:
    bench, cells = full
    key = row(cells, "rdtf").sample_key
    (bench.store.path("samples", key) / HASHES).write_text("{")
    assert faults(bench.store, Entry("samples", key)) == [
        f"{bench.store.path('samples', key) / HASHES} has other bytes than when it was written"
    ]


def test_files_without_hashes_are_opened(tmp_path: Path) -> None:
    store = Store(tmp_path)
    folder = store.make("samples", "old", _save)
    (folder / HASHES).unlink()
    assert faults(store, Entry("samples", "old")) == []
    path = folder / "shard-0000.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    assert [fault.split(" cannot be read")[0] for fault in faults(store, Entry("samples", "old"))] == [str(path)]


def _save(folder: Path) -> None:
    save_file({"video": torch.zeros(9)}, folder / "shard-0000.safetensors")


def test_a_record_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    write_text(tmp_path / "records" / "one.json", "{}")
    (said,) = unreadable_records(Store(tmp_path))
    assert said.startswith(f"{tmp_path / 'records' / 'one.json'}: is not a record")
