"""Tables of trained rows, such as table1, and sets of them, such as table2."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from rdtf_bench.commands.selection import Selection

if TYPE_CHECKING:  # for the annotations alone: `--help` reads no schema
    from rdtf_bench.report.page.table_page import Contents
    from rdtf_bench.run.inputs.datasets import Dataset
    from rdtf_bench.run.record import Record
    from rdtf_bench.run.table.context import External
    from rdtf_bench.spec.plan import Cell
    from rdtf_bench.spec.scale import Scale
    from rdtf_bench.spec.schema import TableSpec

PIPE_WIDTH = 120
"""Columns of a table that is not printed to a terminal."""


@dataclass(frozen=True, kw_only=True)
class _Planned:
    """One table of a selection with its cells."""

    spec: "TableSpec"
    scale: "Scale"
    data: "Dataset"
    notes: tuple[str, ...]  # what was left out of folders of the user
    cells: "list[Cell]"


@dataclass(frozen=True)
class Tables:
    """A table of trained rows and control rows."""

    name: str = "table"
    heading: str = "tables"
    refuses: tuple[str, ...] = ()

    def run(self, chosen: Selection, *, tracking_uri: str | None, quiet: bool) -> None:
        from rich.console import Console

        from rdtf_bench.report import artifacts
        from rdtf_bench.run import environment
        from rdtf_bench.run.engines import engine_named
        from rdtf_bench.run.table import execute
        from rdtf_bench.run.table.context import unwatched
        from rdtf_bench.run.tracking import live, server

        uri = server.tracking_uri(tracking_uri, chosen.store)
        server.require_usable(uri, chosen.store)
        console, external, engine = Console(stderr=True), chosen.external(), engine_named(chosen.engine, chosen.address)
        for note in _left_out(external):
            console.print(note, highlight=False, markup=False)
        for number, (spec, scale) in enumerate(_tables(chosen)):
            outcome = execute.run(
                spec,
                scale,
                source=chosen.source_of(spec.dataset),
                root=chosen.store,
                skip_broken=chosen.skip_broken,
                console=console,
                quiet=quiet,
                external=external,
                command=environment.command_line(),
                retrain=chosen.retrain,
                processes=chosen.processes,
                shard_weights=chosen.shard_weights,
                engine=engine,
                watching=unwatched if chosen.rows else live.watching(spec.name, scale.name, uri=uri, root=chosen.store),
                only=chosen.rows or (),
            )
            if number:
                typer.echo()
            typer.echo(_rendered(chosen, spec, scale, outcome.cells, outcome.records, format="text"))
            if not quiet:
                console.print(f"{spec.name}: {artifacts.closing_line(outcome)}", highlight=False)
            if chosen.rows:
                continue  # the pictures and the run of MLflow are those of the whole table
            artifacts.write(
                spec,
                scale,
                outcome,
                tracking_uri=tracking_uri,
                console=console,
                quiet=quiet,
                options=chosen.options,
            )

    def show(self, chosen: Selection, *, format: str) -> None:
        from rdtf_bench.report.layouts import joined
        from rdtf_bench.run import record

        shown = []
        for table in _planned(chosen):
            folders = [record.folder_in(chosen.store), chosen.results / table.spec.name]
            records = record.find([cell.id for cell in table.cells], folders)
            shown.append(_rendered(chosen, table.spec, table.scale, table.cells, records, format=format))
        typer.echo(joined(shown, format=format))

    def plan(self, chosen: Selection) -> None:
        from rdtf_bench.report.table.plans import plan_text

        for table in _planned(chosen):
            typer.echo(plan_text(table.spec, table.scale, table.data, table.cells, chosen.store, table.notes))
            for text in _sizes(chosen, table):
                typer.echo(f"\n{text}")

    def publish(self, chosen: Selection) -> None:
        from rdtf_bench.core.errors import ProtocolError
        from rdtf_bench.core.store import Store
        from rdtf_bench.report import artifacts
        from rdtf_bench.report.table import trained
        from rdtf_bench.report.table.publish import publish
        from rdtf_bench.run.table import shipped

        results, tables = chosen.results, list(_planned(chosen))
        if chosen.picture is not None and len(tables) > 1:
            raise ProtocolError(
                f"--picture {chosen.picture}: {chosen.protocol} stands for {len(tables)} tables. Publish them one by "
                f"one: {', '.join(table.spec.name for table in tables)}"
            )
        for table in tables:
            said = publish(
                table.spec, table.scale, table.cells, store=chosen.store, results=results, options=chosen.options
            )
            typer.echo(said)
            if chosen.picture is not None:
                root = chosen.store.resolve()
                artifacts.copy_samples(
                    root, table.spec, table.scale, table.cells, chosen.picture, options=chosen.options
                )
            if chosen.with_weights:
                new = shipped.ship(Store(chosen.store), table.cells)
                trained.write_index()
                typer.echo(f"new trained rows in {shipped.FOLDER}: {', '.join(new) or 'none'}")

    def report(self, chosen: Selection, *, out: Path | None, quiet: bool) -> Iterator[Path]:
        """Write one HTML page per table and yield the paths."""
        from rich.console import Console

        from rdtf_bench.core.store import write_text
        from rdtf_bench.report.page.table_page import page
        from rdtf_bench.run.progress import Display, Report

        tables = list(_planned(chosen))
        for path, table in _page_paths(chosen, tables, out).items():
            name = table.spec.name
            with Display(Console(stderr=True), {name: 1.0}, quiet=quiet) as display:
                text = page(_contents(chosen, table), on_progress=Report(display, name, "clips").advance)
            write_text(path, text)
            yield path

    def validate(self, protocol: str) -> None:
        from rdtf_bench.run.build.modules import check_options
        from rdtf_bench.spec.load import scale_names

        for scale in scale_names():
            chosen = Selection(protocol=protocol, scale_name=scale)
            for table in _planned(chosen):
                check_options(table.cells)
                typer.echo(f"{table.spec.name} at {scale}: {len(table.cells)} cells")


@dataclass(frozen=True)
class Sets(Tables):
    """Tables that the paper prints as one. Each verb is that of its tables, in turn."""

    name: str = "set"
    heading: str = "sets of tables"

    def validate(self, protocol: str) -> None:
        from rdtf_bench.run.protocols import load_tables

        typer.echo(f"{protocol}: {' and '.join(spec.name for spec in load_tables(protocol))}")


def _tables(chosen: Selection) -> "Iterator[tuple[TableSpec, Scale]]":
    """Yield the selected tables with the rows that --method adds."""
    from rdtf_bench.run.protocols import load_tables, with_methods

    for spec in load_tables(chosen.protocol, chosen.seeds):
        yield with_methods(spec, chosen.scale, chosen.methods or ())


def _planned(chosen: Selection) -> Iterator[_Planned]:
    from rdtf_bench.report.table import footer
    from rdtf_bench.run.table.context import cells_of

    external = chosen.external()
    for spec, scale in _tables(chosen):
        data, cells = cells_of(spec, scale, chosen.source_of(spec.dataset), chosen.store, external)
        of_data = [footer.data(spec.dataset, data.facts)] if data.facts else []
        notes = (*of_data, *_left_out(external))
        yield _Planned(spec=spec, scale=scale, data=data, cells=cells, notes=notes)


def _sizes(chosen: Selection, table: _Planned) -> Iterator[str]:
    """Yield what training needs of a machine, as far as --memory and --probe ask for it."""
    if not (chosen.memory or chosen.probe):
        if table.scale.device == "cuda":  # not told unasked: the model takes some seconds per row
            yield "What the rows need of a GPU: --memory. What a training step takes on this machine: --probe."
        return
    from rdtf_bench.report import sizing
    from rdtf_bench.run.sizing.plan import needs_of, probed

    if chosen.memory:
        processes, shard_weights = chosen.processes, chosen.shard_weights
        needs = needs_of(table.cells, table.scale, processes=processes, shard_weights=shard_weights)
        yield sizing.memory_text(table.scale, needs, processes=processes, shard_weights=shard_weights)
    if chosen.probe:
        yield sizing.probe_text(table.scale, probed(table.cells, table.scale))


def _page_paths(chosen: Selection, tables: "list[_Planned]", out: Path | None) -> "dict[Path, _Planned]":
    """Return the file of each table's page; an error if one file would hold several, or if one cannot be written."""
    from rdtf_bench.core.errors import ProtocolError
    from rdtf_bench.core.store import require_place

    if out and len(tables) > 1:
        names = ", ".join(table.spec.name for table in tables)
        raise ProtocolError(f"{chosen.protocol}: --out names one file, and this set has several tables: {names}")
    found = {out or Path(f"report-{table.spec.name}.html"): table for table in tables}
    for path in found:
        require_place(path, "--out FILE")
    return found


def _contents(chosen: Selection, table: _Planned) -> "Contents":
    """Return what the page of a table shows, from the store or else from the published results."""
    from rdtf_bench.core.store import Store
    from rdtf_bench.report.page.table_page import Contents
    from rdtf_bench.run import record
    from rdtf_bench.run.selftest import record as selftest_record

    folders = [record.folder_in(chosen.store), chosen.results / table.spec.name]
    return Contents(
        spec=table.spec,
        scale=table.scale,
        cells=table.cells,
        records=record.find([cell.id for cell in table.cells], folders),
        store=Store(chosen.store),
        warning=selftest_record.warning(chosen.store, table.scale),
        options=chosen.options,
    )


def _left_out(external: "dict[str, External]") -> Iterator[str]:
    from rdtf_bench.run.table.external.clips import ExternalClips

    for label, given in external.items():
        if isinstance(given, ExternalClips) and (note := given.left_out()):
            yield f"{label}: {note}"


def _rendered(
    chosen: Selection,
    spec: "TableSpec",
    scale: "Scale",
    cells: "list[Cell]",
    records: "dict[str, Record]",
    *,
    format: str,
) -> str:
    from rdtf_bench.report.table.table import render
    from rdtf_bench.run.selftest import record as selftest_record

    terminal = sys.stdout.isatty()
    return render(
        spec,
        scale,
        cells,
        records,
        format=format,
        width=None if terminal else PIPE_WIDTH,
        styled=terminal,
        warning=selftest_record.warning(chosen.store, scale),
        options=chosen.options,
    )
