"""Trained rows that ship with the package, so that a table can be sampled and scored without training.

A shipped row is the `fit` entry of a store: weights, log and facts, in a folder named by its key. As the key hashes
everything that decides the weights, a row is used where a plan asks for exactly this training and nowhere else.
"""

import json
import shutil
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

from rdtf_bench.core.errors import StoreError
from rdtf_bench.core.leases import Leases
from rdtf_bench.core.store import Store, write_text, written_whole
from rdtf_bench.run import record
from rdtf_bench.run.record import Record
from rdtf_bench.run.storage import damage
from rdtf_bench.run.table.finished import diverged_at_step, fit_facts, training_log
from rdtf_bench.run.table.schedule import lease_of_fit
from rdtf_bench.spec.plan import Cell

FOLDER = Path(__file__).parents[2] / "models" / "trained"
FIT = "fit"
CARD = "card.json"
"""File of a shipped row that says where it comes from. It is no part of the entry in a store."""
LOSSES = 10
"""Number of means of the loss in a card, over parts of the training of equal length."""
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
                # not by `store.make`, which would empty the folder where an interrupted --retrain has its checkpoints
                with written_whole(store.path(FIT, cell.fit_key)) as made:
                    _copy(folder / cell.fit_key, made)
                installed.append(cell.label)
    return installed


def discard(store: Store, cells: Iterable[Cell], leases: Leases, *, folder: Path = FOLDER) -> list[str]:
    """Remove the copies of shipped rows from the store, and what was made of them, so that they are trained.

    Returns their labels. A row that another run is training is left to it.
    """
    cells = list(cells)
    discarded = []
    for cell in _trained(cells):
        source, entry = folder / cell.fit_key, store.path(FIT, cell.fit_key)
        with leases.held_if_free(lease_of_fit(cell.fit_key)) as free:
            if free and source.is_dir() and entry.is_dir() and _facts(source) == _facts(entry):
                for made in (made for made in cells if made.fit is not None and made.fit_key == cell.fit_key):
                    damage.remove_clips(store, made)
                store.remove(FIT, cell.fit_key)
                discarded.append(cell.label)
    return discarded


def ship(store: Store, cells: Sequence[Cell], *, folder: Path = FOLDER) -> list[str]:
    """Copy the trained rows of a store into the package, each with a card; return their labels.

    A row that trains no step does not ship, because it is made in seconds. Too large a file is a StoreError, and so is
    a row without a record, which says where it was trained.
    """
    shipped = []
    records = record.find([cell.id for cell in cells], [record.folder_in(store.root)])
    for cell in _trained(cells):
        target = Store(folder.parent).path(folder.name, cell.fit_key)
        if cell.trained.training.num_steps == 0 or not store.has(FIT, cell.fit_key) or target.is_dir():
            continue
        if cell.id not in records:
            raise StoreError(f"{store.root}: {cell.name} is trained and has no record. Run its table to the end first.")
        entry = store.path(FIT, cell.fit_key)
        for path in sorted(entry.rglob("*")):
            if path.is_file() and path.stat().st_size > MOST_BYTES:
                raise StoreError(
                    f"{path}: has {path.stat().st_size / 2**20:.1f} MiB, and a file of a row that ships may have "
                    f"{MOST_BYTES / 2**20:.0f}. Train at a scale whose training says weights: float16, or with fewer "
                    "parameters"
                )
        _copy(entry, target)
        write_text(target / CARD, json.dumps(_card(store, cell, records[cell.id]), indent=1) + "\n")
        shipped.append(cell.label)
    return shipped


def cards(folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """Return the cards of all rows that ship, by key."""
    return {path.parent.name: json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob(f"*/{CARD}"))}


def _card(store: Store, cell: Cell, made: Record) -> dict[str, Any]:
    """Return where a trained row comes from."""
    losses = [row["loss"] for row in training_log(store, cell.fit_key)]
    bounds = [len(losses) * i // LOSSES for i in range(LOSSES + 1)]
    parts = [losses[start:end] for start, end in pairwise(bounds)]
    facts, step = fit_facts(store, cell.fit_key), diverged_at_step(store, cell.fit)
    return {
        "row": cell.label,
        "method": cell.method,
        "seed": cell.seed,
        "scale": made.scale,
        "data": made.data["source"],
        "steps": cell.trained.training.num_steps,
        **({} if step is None else {"diverged_at_step": step}),
        "hours": round(facts.seconds / 3600, 2),
        "commit": facts.commit or made.environment["commit"],
        "processor": made.environment.get("processor", "unknown"),
        "created": made.created,
        "mean_losses": [round(fmean(part), 4) for part in parts if part],
    }


def _trained(cells: Iterable[Cell]) -> Iterable[Cell]:
    return {cell.fit_key: cell for cell in cells if cell.fit is not None}.values()


def _copy(source: Path, target: Path) -> None:
    shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns(CARD))


def _facts(entry: Path) -> bytes:
    return (entry / "fit.json").read_bytes()
