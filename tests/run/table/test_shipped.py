"""Trained rows that ship with the package: used where a plan asks for exactly them, and nowhere else."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rdtf_bench.core.errors import StoreError
from rdtf_bench.core.leases import Leases
from rdtf_bench.core.store import Store
from rdtf_bench.run.table import context, schedule, shipped
from rdtf_bench.spec.load import load_protocol, load_scale
from rdtf_bench.spec.plan import Cell

NOWHERE = Path("no-store")  # the identity of the built-in data is not read from a store


@pytest.fixture(scope="module")
def cells() -> list[Cell]:
    return context.cells_of(load_protocol("table1"), load_scale("tiny"), None, NOWHERE)[1]


@pytest.fixture
def leases(tmp_path: Path) -> Iterator[Leases]:
    with Leases(tmp_path / "used") as held:
        yield held


def train(store: Store, cell: Cell, *, size: int = 10) -> None:
    """Stand in for a training."""
    folder = store.unfinished("fit", cell.fit_key)
    (folder / "weights").mkdir()
    (folder / "weights" / "network.safetensors").write_bytes(b"w" * size)
    facts = {"seconds": 1.0, "components": {"total": 1}, "peak_memory_gib": 1.0, "label": cell.label}
    (folder / "fit.json").write_text(json.dumps(facts))
    store.finish("fit", cell.fit_key)


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


def test_a_file_that_is_too_large_does_not_ship(cells: list[Cell], tmp_path: Path) -> None:
    made = Store(tmp_path / "made")
    train(made, trained(cells)[0], size=shipped.MOST_BYTES + 1)
    with pytest.raises(StoreError, match=r"has 8\.0 MiB, and a file of a row that ships may have 8"):
        shipped.ship(made, cells, folder=tmp_path / "trained")
    assert not (tmp_path / "trained").exists()
