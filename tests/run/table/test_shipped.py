"""Trained rows that ship with the package: used where a plan asks for exactly them, and nowhere else."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rdtf_bench.core.errors import StoreError
from rdtf_bench.core.leases import Leases
from rdtf_bench.core.store import Store
from rdtf_bench.report.table import trained as index
from rdtf_bench.run import record
from rdtf_bench.run.table import context, schedule, shipped
from rdtf_bench.spec.load import load_protocol, load_scale
from rdtf_bench.spec.plan import Cell
from tests.planted import record as planted_record

NOWHERE = Path("no-store")  # the identity of the built-in data is not read from a store


@pytest.fixture(scope="module")
def cells() -> list[Cell]:
    return context.cells_of(load_protocol("table1"), load_scale("tiny"), None, NOWHERE)[1]


@pytest.fixture
def leases(tmp_path: Path) -> Iterator[Leases]:
    with Leases(tmp_path / "used") as held:
        yield held


def train(store: Store, cell: Cell, *, size: int = 10, **more: object) -> None:
    """Stand in for a training."""
    folder = store.unfinished("fit", cell.fit_key)
    (folder / "weights").mkdir()
    (folder / "weights" / "network.safetensors").write_bytes(b"w" * size)
    facts = {"seconds": 5400.0, "components": {"total": 1}, "peak_memory_gib": 1.0, "label": cell.label, **more}
    (folder / "fit.json").write_text(json.dumps(facts))
    (folder / "log.jsonl").write_text("".join(f'{{"step": {step}, "loss": {1 / (step + 1)}}}\n' for step in range(20)))
    store.finish("fit", cell.fit_key)
    record.save(replace(planted_record(), cell_id=cell.id), record.folder_in(store.root))


def trained(cells: list[Cell]) -> list[Cell]:
    return [cell for cell in cells if cell.fit is not None]


def test_a_shipped_row_is_installed_once_and_only_where_it_is_asked_for(
    cells: list[Cell], leases: Leases, tmp_path: Path
) -> None:
    made, used, folder = Store(tmp_path / "made"), Store(tmp_path / "used"), tmp_path / "trained"
    row, other = trained(cells)[:2]
    train(made, row)
    assert shipped.ship(made, cells, folder=folder) == [row.label]
    assert shipped.ship(made, cells, folder=folder) == []  # it is there
    assert shipped.install(used, cells, leases, folder=folder) == [row.label]
    assert used.path("fit", row.fit_key).joinpath("weights", "network.safetensors").read_bytes() == b"w" * 10
    assert not used.has("fit", other.fit_key)
    assert shipped.install(used, cells, leases, folder=folder) == []


def test_retraining_discards_the_copy_and_no_training_of_ones_own(
    cells: list[Cell], leases: Leases, tmp_path: Path
) -> None:
    made, used, folder = Store(tmp_path / "made"), Store(tmp_path / "used"), tmp_path / "trained"
    copied, own = trained(cells)[:2]
    for cell in (copied, own):
        train(made, cell)
    shipped.ship(made, cells, folder=folder)
    shipped.install(used, [copied], leases, folder=folder)
    train(used, own)
    (used.path("fit", own.fit_key) / "fit.json").write_text("{}")
    assert shipped.discard(used, cells, leases, folder=folder) == [copied.label]
    assert not used.has("fit", copied.fit_key)
    assert used.has("fit", own.fit_key)


def test_the_copy_leaves_the_checkpoints_of_an_interrupted_retraining(
    cells: list[Cell], leases: Leases, tmp_path: Path
) -> None:
    made, used, folder = Store(tmp_path / "made"), Store(tmp_path / "used"), tmp_path / "trained"
    row = trained(cells)[0]
    train(made, row)
    shipped.ship(made, cells, folder=folder)
    checkpoint = used.unfinished("fit", row.fit_key) / "checkpoint.pt"
    checkpoint.touch()
    shipped.install(used, [row], leases, folder=folder)
    assert used.has("fit", row.fit_key)
    assert used.faults("fit", row.fit_key) == []
    assert checkpoint.is_file()


def test_retraining_a_row_samples_and_scores_it_anew(cells: list[Cell], leases: Leases, tmp_path: Path) -> None:
    made, used, folder = Store(tmp_path / "made"), Store(tmp_path / "used"), tmp_path / "trained"
    copied, other = trained(cells)[:2]
    train(made, copied)
    shipped.ship(made, cells, folder=folder)
    shipped.install(used, [copied], leases, folder=folder)
    for cell in (copied, other):
        used.make("samples", cell.sample_key, lambda _: None)
        for score in cell.scores.values():
            used.make("scores", score.key, lambda _: None)
    used.unfinished("samples", copied.sample_key)
    shipped.discard(used, cells, leases, folder=folder)
    assert not used.has("samples", copied.sample_key)
    assert not (used.root / "unfinished" / "samples" / copied.sample_key).exists()
    assert not used.has("scores", copied.score_key("fvd"))
    assert used.has("samples", other.sample_key)
    assert used.has("scores", other.score_key("fvd"))


def test_a_row_that_another_run_is_training_is_left_to_it(cells: list[Cell], leases: Leases, tmp_path: Path) -> None:
    made, used, folder = Store(tmp_path / "made"), Store(tmp_path / "used"), tmp_path / "trained"
    row = trained(cells)[0]
    train(made, row)
    shipped.ship(made, cells, folder=folder)
    with Leases(used.root) as another:
        assert another.take(schedule.lease_of_fit(row.fit_key))
        checkpoint = used.unfinished("fit", row.fit_key) / "checkpoint"
        checkpoint.touch()
        assert shipped.install(used, cells, leases, folder=folder) == []
        assert checkpoint.exists()
    assert shipped.install(used, cells, leases, folder=folder) == [row.label]


def test_a_training_that_has_diverged_ships_with_its_step_and_the_commit_that_ended_it(
    cells: list[Cell], tmp_path: Path
) -> None:
    made, folder = Store(tmp_path / "made"), tmp_path / "trained"
    row = trained(cells)[0]
    train(made, row, diverged_at_step=1724, commit="0123456789")
    shipped.ship(made, cells, folder=folder)
    assert shipped.cards(folder)[row.fit_key]["commit"] == "0123456789"
    index.write_index(folder)
    assert "| 0 | diverged at 1,724 | 1.5 |" in (folder / "README.md").read_text(encoding="utf-8")
    assert "| 0123456 |" in (folder / "README.md").read_text(encoding="utf-8")


def test_a_card_says_where_a_shipped_row_was_trained(cells: list[Cell], leases: Leases, tmp_path: Path) -> None:
    made, used, folder = Store(tmp_path / "made"), Store(tmp_path / "used"), tmp_path / "trained"
    row = trained(cells)[0]
    train(made, row)
    shipped.ship(made, cells, folder=folder)
    card = shipped.cards(folder)[row.fit_key]
    assert (card["row"], card["steps"], card["hours"], card["commit"]) == (row.label, 400, 1.5, "abc")
    assert card["mean_losses"][0] == 0.75  # of steps 0 and 1
    assert len(card["mean_losses"]) == 10
    shipped.install(used, cells, leases, folder=folder)
    assert not (used.path("fit", row.fit_key) / shipped.CARD).exists()
    index.write_index(folder)
    (line,) = [line for line in (folder / "README.md").read_text().splitlines() if row.fit_key in line]
    assert line.startswith(f"| {row.label} |")


def test_a_row_that_trains_no_step_does_not_ship(cells: list[Cell], tmp_path: Path) -> None:
    made = Store(tmp_path / "made")
    row = trained(cells)[0]
    no_step = row.trained.training.model_copy(update={"num_steps": 0})
    untrained = replace(row, fit=row.trained.model_copy(update={"training": no_step}))
    train(made, untrained)
    assert shipped.ship(made, [untrained], folder=tmp_path / "trained") == []


def test_a_row_without_a_record_does_not_ship(cells: list[Cell], tmp_path: Path) -> None:
    made = Store(tmp_path / "made")
    train(made, trained(cells)[0])
    shutil.rmtree(record.folder_in(made.root))
    with pytest.raises(StoreError, match=r"is trained and has no record\. Run its table to the end first"):
        shipped.ship(made, cells, folder=tmp_path / "trained")


def test_every_row_that_ships_belongs_to_a_table_and_is_whole() -> None:
    keys = {
        cell.fit_key
        for table in ("table1", "table1-released-baselines", "ablate-weights", "sweep-learning-rate-small")
        for cell in trained(context.cells_of(load_protocol(table), load_scale("small"), None, NOWHERE)[1])
    }
    of_toy = {key for key, card in shipped.cards().items() if card["data"] == "toy"}
    assert of_toy
    assert of_toy <= keys
    store = Store(shipped.FOLDER.parent)
    files = [path for path in shipped.FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 60 * 2**20
    for key in shipped.cards():
        assert store.hashes(shipped.FOLDER.name, key)
        assert store.faults(shipped.FOLDER.name, key) == []


def test_a_file_that_is_too_large_does_not_ship(cells: list[Cell], tmp_path: Path) -> None:
    made = Store(tmp_path / "made")
    train(made, trained(cells)[0], size=shipped.MOST_BYTES + 1)
    with pytest.raises(StoreError, match=r"has 8\.0 MiB, and a file of a row that ships may have 8"):
        shipped.ship(made, cells, folder=tmp_path / "trained")
    assert not (tmp_path / "trained").exists()
