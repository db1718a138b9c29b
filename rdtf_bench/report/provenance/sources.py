"""Find the records of a table in a store, in results/, in results/ of an earlier commit, or in one file. No torch."""

import io
import json
import os
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from rdtf_bench.core.errors import DivergedError, ProtocolError, StoreError, UnknownNameError, unknown_name
from rdtf_bench.core.store import key_of
from rdtf_bench.run import record
from rdtf_bench.run.protocols import default_scale, load_scale, load_tables
from rdtf_bench.run.record import Record
from rdtf_bench.run.table.context import cells_of
from rdtf_bench.spec.load import protocol_names
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import RENAMED_CONTROLS, TableSpec

GIT = "git:"
"""Beginning of a place in an earlier commit: git:COMMIT:TABLE."""


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """One record of a table and where it stands."""

    row: str  # the label, with the seed if it is not the first
    place: str
    record: Record

    def metrics(self, asked: str | None) -> tuple[str, ...]:
        """Return the metric that was asked for, in any case of letters, or all of the record.

        Raises UnknownNameError for a metric that the record lacks, and DivergedError for a row without any score.
        """
        step = self.record.diverged_at_step
        if step is not None:
            raise DivergedError(
                f"{self.place}: the training of {self.row} has diverged at step {step:,}, so there is no score to "
                "explain or to repeat. The record holds its configuration."
            )
        if asked is None:
            return tuple(self.record.scores)
        if asked.lower() not in self.record.scores:
            raise UnknownNameError(f"{self.row}: {unknown_name('metric', asked, self.record.scores)}")
        return (asked.lower(),)


NOWHERE = Path(os.devnull)
"""Stands for published results where only those of a store count."""

Rows = Mapping[str, Recorded]
"""Records by row, in the order of the table."""


def one_table(protocol: str, seeds: int | None = None) -> TableSpec:
    """Return a table by name or path; ProtocolError for a set of tables, which has several rows of one name."""
    specs = load_tables(protocol, seeds)
    if len(specs) > 1:
        raise ProtocolError(
            f"{protocol}: is a set of tables, and one table is needed here. Name one of them: "
            f"{', '.join(spec.name for spec in specs)}"
        )
    return specs[0]


def rows_of(spec: TableSpec, scale: Scale, *, source: str | None, store: Path, results: Path) -> Rows:
    """Return the records of a table from the store, or else from the published results.

    Records of the current plan come first. A row that has none is looked up among the tables that the store finished
    and that results/ published, so that records of an earlier version are found as well.
    """
    _, cells = cells_of(spec, scale, source, store)
    planned = {cell.name: cell.id for cell in cells}
    kept, published = record.folder_in(store), results / spec.name
    found: dict[str, Recorded] = {}
    for names, folder in (
        (planned, kept),
        (planned, published),
        (_finished(store, spec.name, scale.name), kept),
        (_published(published, scale.name), published),
    ):
        found = {**_read(names, folder), **found}
    order = [*planned, *(row for row in found if row not in planned)]
    return {row: found[row] for row in order if row in found}


def require_rows(found: Rows, table: str, scale: str, *, run: str) -> Rows:
    """Return the records; StoreError where there is none, which names the command that makes them."""
    if not found:
        raise StoreError(
            f"{table} at scale {scale!r}: neither the store nor results/ has a record of it. Run: {run}; "
            "or name the store that has it: --store DIR"
        )
    return found


def row_named(found: Rows, name: str) -> Recorded:
    """Return the record of a row by its label, in any case, or by its method where that is one row's alone."""
    wanted = name.casefold()
    by_label = [one for row, one in found.items() if row.casefold() == wanted]
    by_method = [one for one in found.values() if one.record.method == wanted]
    for matches in (by_label, by_method):
        if len(matches) == 1:
            return matches[0]
    raise unknown_name("record of a row", name, found)


@contextmanager
def read(place: str, scale: str | None, *, results: Path) -> Iterator[Rows]:
    """Yield the records of a place that `diff` names: FILE.json, TABLE, STORE:TABLE or git:COMMIT:TABLE.

    The default of `scale` is that of the table.
    """
    if place.endswith(".json"):
        yield _of_file(Path(place))
    elif place.startswith(GIT):
        commit, _, table = place.removeprefix(GIT).partition(":")
        if not commit or not table:
            raise StoreError(f"{place}: names no commit and table. Write git:COMMIT:TABLE, such as git:HEAD~1:table1.")
        with TemporaryDirectory(prefix="rdtf-bench-commit-") as folder:
            _extract(results, commit, table, Path(folder))
            published, at = Path(folder) / results.name / table, scale or _default_scale(table)
            yield _required(_read(_published(published, at), published, f"{commit}:results/{table}"), place, at)
    elif ":" in place:
        at = scale or _default_scale(place.rpartition(":")[2])
        yield _required(_of_store(place, load_scale(at)), place, at)
    else:
        held = results / place
        if not held.is_dir():
            raise unknown_name("published table", place, [path.parent.name for path in results.glob("*/tables")])
        at = scale or _default_scale(place)
        yield _required(_read(_published(held, at), held), place, at)


def at_scale(place: str, found: Rows) -> str:
    """Name a place with the scale of its records."""
    return f"{place} at scale {next(iter(found.values())).record.scale}"


def _default_scale(table: str) -> str:
    """Return the default scale of a table; one that is no protocol here any more has that of all."""
    return default_scale(table) if table in protocol_names() else str(TableSpec.model_fields["default_scale"].default)


def _required(found: Rows, place: str, scale: str) -> Rows:
    if not found:
        load_scale(scale)  # tells a misspelt name as such
        raise StoreError(f"{place}: has no record at scale {scale!r}. Name the scale with --scale, or another place.")
    return found


def _of_store(place: str, scale: Scale) -> Rows:
    """Return the rows of a table in a store. A table that is no protocol here is looked up among the finished ones."""
    folder, _, table = place.rpartition(":")
    store = Path(folder)
    if not record.folder_in(store).is_dir():
        raise StoreError(f"{folder}: there is no store with records. Write STORE:TABLE, such as runs:table1.")
    if table in protocol_names():
        return rows_of(one_table(table), scale, source=None, store=store, results=NOWHERE)
    return _read(_finished(store, table, scale.name), record.folder_in(store))


def _of_file(path: Path) -> Rows:
    if not path.is_file():
        raise StoreError(f"{path}: there is no such file. A record is a file such as results/table1/ID.json")
    found = record.read(path)
    row = f"{found.method}, seed {found.seed}" if found.seed else found.method
    return {row: Recorded(row=row, place=str(path), record=found)}


def _read(names: Mapping[str, str], folder: Path, said: str = "") -> dict[str, Recorded]:
    """Return the records of these cell ids that the folder holds, by row."""
    found = record.find(names.values(), [folder])
    return {
        row: Recorded(row=row, place=f"{said or folder}/{cell_id}.json", record=found[cell_id])
        for row, cell_id in names.items()
        if cell_id in found
    }


def _finished(store: Path, table: str, scale: str) -> dict[str, str]:
    """Return the cell ids of the rows of the tables that a store finished, of the last one if it has several."""
    lists = sorted((store / "pictures").glob("*/rows.json"), key=lambda path: path.stat().st_mtime)
    rows: dict[str, str] = {}
    for path in lists:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if (raw["table"], raw["scale"]) == (table, scale):
            rows |= {row["label"]: row["cell_id"] for row in raw["rows"]}
    return rows


def _published(folder: Path, scale: str) -> dict[str, str]:
    """Return the cell ids of the rows of a table that were published at this scale, on built-in data first."""
    rows: dict[str, str] = {}
    for path in sorted((folder / "tables").glob("*.json"), key=lambda path: (len(path.name), path.name)):
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw["scale"]["name"] == scale:
            rows = {**{_name(cell): key_of(cell["sample"]) for cell in raw["cells"]}, **rows}
    return rows


def published_seeds(folder: Path, scale: str) -> int | None:
    """Return the largest number of random seeds of a table that was published at this scale; None if none was."""
    raw = [json.loads(path.read_text(encoding="utf-8")) for path in (folder / "tables").glob("*.json")]
    return max((len(table["spec"]["seeds"]) for table in raw if table["scale"]["name"] == scale), default=None)


def _name(cell: Mapping[str, object]) -> str:
    """Return the name of a row as `spec.plan.Cell` makes it, from a published cell of any format."""
    label = str(cell["label"])
    if cell["kind"] == "control":
        label = RENAMED_CONTROLS.get(str(cell["method"]), str(cell["method"])).replace("_", " ")
    return f"{label}, seed {cell['seed']}" if cell["seed"] else label


def _extract(results: Path, commit: str, table: str, folder: Path) -> None:
    """Write results/TABLE of a commit into a folder."""
    command = ["git", "archive", "--format=tar", commit, "--", f"{results.name}/{table}"]
    try:
        done = subprocess.run(command, cwd=results.parent, capture_output=True, check=False)
    except OSError as fault:
        raise StoreError(f"{GIT}{commit}:{table}: git cannot be run in {results.parent}: {fault}") from fault
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise StoreError(f"{GIT}{commit}:{table}: git does not have it: {said}. Write git:COMMIT:TABLE.")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
