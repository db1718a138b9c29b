"""Trained rows that ship with the package, so that a table can be sampled and scored without training.

A shipped row is the `fit` entry of a store: weights, log and facts, in a folder named by its key. As the key hashes
everything that decides the weights, a row is used where a plan asks for exactly this training and nowhere else.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path

from rdtf_bench.core.errors import StoreError
from rdtf_bench.core.leases import Leases
from rdtf_bench.core.store import Store
from rdtf_bench.run.table.finished import fit_facts
from rdtf_bench.run.table.schedule import lease_of_fit
from rdtf_bench.spec.plan import Cell

FOLDER = Path(__file__).parents[2] / "models" / "trained"
FIT = "fit"
MOST_BYTES = 8 * 2**20
"""Largest file that ships."""


def installable(store: Store, cells: Iterable[Cell], *, folder: Path = FOLDER) -> list[Cell]:
    """Return a cell for each shipped row that these cells need and the store lacks."""
    return [cell for cell in _trained(cells) if (folder / cell.fit_key).is_dir() and not store.has(FIT, cell.fit_key)]


def install(store: Store, cells: Iterable[Cell], leases: Leases, *, folder: Path = FOLDER) -> list[str]:
    """Copy the shipped rows that these cells need and the store lacks; return their labels.

    A row that another run is training is left to it.
    """
    installed = []
    for cell in installable(store, cells, folder=folder):
        with leases.held_if_free(lease_of_fit(cell.fit_key)) as free:
            if free:
                source = folder / cell.fit_key
                store.make(FIT, cell.fit_key, lambda made, source=source: _copy(source, made))  # type: ignore[misc]
                installed.append(cell.label)
    return installed


def discard(store: Store, cells: Iterable[Cell], leases: Leases, *, folder: Path = FOLDER) -> list[str]:
    """Remove the copies of shipped rows from the store, so that they are trained; return their labels.

    A row that another run is training is left to it.
    """
    discarded = []
    for cell in _trained(cells):
        source, entry = folder / cell.fit_key, store.path(FIT, cell.fit_key)
        with leases.held_if_free(lease_of_fit(cell.fit_key)) as free:
            if free and source.is_dir() and entry.is_dir() and _facts(source) == _facts(entry):
                shutil.rmtree(entry)
                discarded.append(cell.label)
    return discarded


def ship(store: Store, cells: Iterable[Cell], *, folder: Path = FOLDER) -> list[str]:
    """Copy the trained rows of a store into the package; return their labels. Too large a file is a StoreError."""
    shipped = []
    for cell in _trained(cells):
        target = Store(folder.parent).path(folder.name, cell.fit_key)
        if not store.has(FIT, cell.fit_key) or target.is_dir():
            continue
        fit_facts(store, cell.fit_key)  # readable
        entry = store.path(FIT, cell.fit_key)
        for path in sorted(entry.rglob("*")):
            if path.is_file() and path.stat().st_size > MOST_BYTES:
                raise StoreError(
                    f"{path}: has {path.stat().st_size / 2**20:.1f} MiB, and a file of a row that ships may have "
                    f"{MOST_BYTES / 2**20:.0f}. Train at a scale whose training says weights: float16, or with fewer "
                    "parameters"
                )
        _copy(entry, target)
        shipped.append(cell.label)
    return shipped


def _trained(cells: Iterable[Cell]) -> Iterable[Cell]:
    return {cell.fit_key: cell for cell in cells if cell.fit is not None}.values()


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, dirs_exist_ok=True)


def _facts(entry: Path) -> bytes:
    return (entry / "fit.json").read_bytes()
