"""The command line. Each command is a few calls into the library, so that a notebook can do the same."""

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rdtf_bench.commands import assets, conditions, costs, sheets, validity
from rdtf_bench.commands.check import check
from rdtf_bench.commands.finetune import finetune
from rdtf_bench.commands.generate import generate
from rdtf_bench.commands.options import (
    DEFAULT_STORE,
    Data,
    Format,
    MethodOptions,
    Methods,
    Quiet,
    ScaleName,
    Seeds,
    SkipBroken,
    StoreDir,
    Table,
    Uri,
    With,
    method_options,
    results_folder,
    source_of,
)
from rdtf_bench.commands.power import power
from rdtf_bench.commands.score import score
from rdtf_bench.commands.selftest import selftest
from rdtf_bench.core.errors import BenchError, ProtocolError

if TYPE_CHECKING:  # for the annotations alone: `--help` reads no schema
    from rdtf_bench.spec.plan import Cell, DataIdentity
    from rdtf_bench.spec.schema import Scale, TableSpec

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False)
data_app = typer.Typer(no_args_is_help=True, help="Data sets that can be fetched.")
app.add_typer(conditions.app, name="conditions")
app.add_typer(data_app, name="data")
app.add_typer(assets.app, name="assets")

INTERRUPTED = 130
FORMATS = ("text", "md", "csv", "json")


@app.command()
def run(
    table: Table,
    scale: ScaleName = "tiny",
    data: Data = None,
    store: StoreDir = DEFAULT_STORE,
    tracking_uri: Uri = None,
    extra: With = None,
    method: Methods = None,
    seeds: Seeds = None,
    skip_broken: SkipBroken = False,
    quiet: Quiet = False,
) -> None:
    """Measure every cell of a table that the store does not hold yet, log it to MLflow and print the table."""
    from rich.console import Console

    from rdtf_bench.report import artifacts
    from rdtf_bench.run.protocols import load_tables, with_methods
    from rdtf_bench.run.table import execute, external
    from rdtf_bench.spec.load import load_scale

    _refuse_unused(table, data, extra, method, seeds)
    if costs.are_in(table):
        return costs.run(table, store, quiet=quiet)
    if validity.are_in(table):
        return validity.run(table, scale, data, store, skip_broken=skip_broken, quiet=quiet)
    if sheets.are_in(table):
        return sheets.show(table, scale, format="text")
    console, rows = Console(stderr=True), external.read(extra or [])
    for named in load_tables(table, seeds):
        spec, sizes = with_methods(named, load_scale(scale), method or [])
        outcome = execute.run(
            spec,
            sizes,
            source=source_of(data, spec.dataset),
            root=store,
            skip_broken=skip_broken,
            console=console,
            quiet=quiet,
            outside=rows,
        )
        artifacts.write(spec, sizes, outcome, tracking_uri=tracking_uri, console=console, quiet=quiet)
        if not quiet:
            console.print(f"{spec.name}: {artifacts.closing_line(outcome)}", highlight=False)
    _print_table(table, scale, data, store, extra, method, seeds, "text")


@app.command()
def ablate(
    name: Annotated[str, typer.Argument(help="modules, dcl, ddu, sti, gains, k, paper-or-code or baselines.")],
    scale: ScaleName = "tiny",
    data: Data = None,
    store: StoreDir = DEFAULT_STORE,
    tracking_uri: Uri = None,
    seeds: Seeds = None,
    quiet: Quiet = False,
) -> None:
    """Take RDTF (or the baselines) apart: `ablate gains` is `run ablate-gains`."""
    from rdtf_bench.run.protocols import ablation

    run(ablation(name), scale, data, store, tracking_uri, seeds=seeds, quiet=quiet)


@app.command()
def show(
    table: Table,
    scale: ScaleName = "tiny",
    data: Data = None,
    store: StoreDir = DEFAULT_STORE,
    extra: With = None,
    method: Methods = None,
    seeds: Seeds = None,
    format: Format = "text",
) -> None:
    """Print a table, our values beside the paper's, from the store or else from the published results."""
    _refuse_unused(table, data, extra, method, seeds)
    if costs.are_in(table):
        return costs.show(table, store, results_folder(), format=format)
    if validity.are_in(table):
        return validity.show(table, scale, data, store, format=format)
    if sheets.are_in(table):
        return sheets.show(table, scale, format=format)
    _print_table(table, scale, data, store, extra, method, seeds, format)


@app.command()
def plan(
    table: Table,
    scale: ScaleName = "tiny",
    data: Data = None,
    store: StoreDir = DEFAULT_STORE,
    extra: With = None,
    method: Methods = None,
    seeds: Seeds = None,
) -> None:
    """List the cells of a table, what is left to do and how long it should take."""
    from rdtf_bench.report.table.plans import plan_text

    _refuse_unused(table, data, extra, method, seeds)
    if costs.are_in(table):
        return costs.plan(table, store)
    if validity.are_in(table):
        return validity.plan(table, scale, data, store)
    if sheets.are_in(table):
        return sheets.plan(table)
    for spec, sizes, identity, cells in _planned(table, scale, data, store, extra, method, seeds):
        typer.echo(plan_text(spec, sizes, identity, cells, store))


@app.command(name="list")
def list_names() -> None:
    """Protocols, scales, methods, datasets and metrics."""
    from rdtf_bench import catalog
    from rdtf_bench.run.protocols import load_table
    from rdtf_bench.spec.load import (
        cost_names,
        load_costs,
        load_scale,
        load_set,
        load_sheet,
        load_validity,
        protocol_names,
        scale_names,
        set_names,
        sheet_names,
        validity_names,
    )

    _section("protocols", {name: load_table(name).title for name in protocol_names()})
    _section("sets of protocols", {name: load_set(name).title for name in set_names()})
    _section("sheets, nothing to measure", {name: load_sheet(name).title for name in sheet_names()})
    _section("costs", {name: load_costs(name).title for name in cost_names()})
    _section("validity", {name: load_validity(name).title for name in validity_names()})
    _section("scales", {name: load_scale(name).title for name in scale_names()})
    for kind in ("method", "control", "dataset", "metric"):
        _section(f"{kind}s", {name: catalog.summary(kind, name) for name in catalog.names(kind)})


@app.command()
def validate() -> None:
    """Read every protocol and scale, look up every name and option in them and plan every pair of them."""
    from rdtf_bench.run.protocols import load_table, load_tables
    from rdtf_bench.run.table import context, fit
    from rdtf_bench.spec.load import (
        cost_names,
        load_scale,
        load_sheet,
        protocol_names,
        scale_names,
        set_names,
        sheet_names,
    )

    for table in protocol_names():
        for scale in scale_names():
            spec, sizes = load_table(table), load_scale(scale)
            _, cells = context.cells_of(spec, sizes, None, DEFAULT_STORE)
            fit.check_options(cells)
            typer.echo(f"{table} at {scale}: {len(cells)} cells")
    for table in sheet_names():
        typer.echo(f"{table}: {len(load_sheet(table).settings or load_sheet(table).printed)} rows of the paper")
    for table in set_names():
        typer.echo(f"{table}: {' and '.join(spec.name for spec in load_tables(table))}")
    for table in cost_names():
        costs.plan(table, DEFAULT_STORE)


@app.command()
def params(
    method: Annotated[str, typer.Argument(help="A method, such as rdtf or simda.")],
    scale: ScaleName = "paper",
    option: MethodOptions = None,
    format: Annotated[str, typer.Option("--format", help="text or json.")] = "text",
) -> None:
    """Count a method's parameters at a scale, by component; needs no weights."""
    from rdtf_bench.core.errors import unknown_name
    from rdtf_bench.report.sizes import sizes_text
    from rdtf_bench.run.costs.sizes import sizes
    from rdtf_bench.spec.load import load_scale

    if format not in ("text", "json"):
        raise unknown_name("format", format, ("text", "json"))
    counts = sizes(method, load_scale(scale), method_options(option))
    typer.echo(json.dumps(counts, indent=1) if format == "json" else sizes_text(method, scale, counts))


@app.command()
def publish(
    table: Table,
    scale: ScaleName = "tiny",
    data: Data = None,
    store: StoreDir = DEFAULT_STORE,
    extra: With = None,
    method: Methods = None,
    seeds: Seeds = None,
) -> None:
    """Copy the records of a table into results/ and write its README anew."""
    from rdtf_bench.report.table import publish as publishing

    _refuse_unused(table, data, extra, method, seeds)
    if costs.are_in(table):
        return costs.publish(table, store, results_folder())
    for spec, sizes, _, cells in _planned(table, scale, data, store, extra, method, seeds):
        typer.echo(publishing.publish(spec, sizes, cells, store=store, results=results_folder()))


@app.command()
def ui(
    store: StoreDir = DEFAULT_STORE,
    tracking_uri: Uri = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.")] = 5000,
) -> None:
    """Open the MLflow UI on what has been logged."""
    from rdtf_bench.run import track

    command = track.ui_command(track.tracking_uri(tracking_uri, store), store, host=host, port=port)
    typer.echo(f"MLflow UI on http://{host}:{port} (Ctrl-C ends it)", err=True)
    os.execvpe(command[0], command, {**os.environ, **track.UI_ENVIRONMENT})


@data_app.command()
def fetch(
    name: Annotated[str, typer.Argument(help="The data set: fluent.")],
    store: StoreDir = DEFAULT_STORE,
    archives: Annotated[
        Path | None, typer.Option(help="A folder with the packages' archives, where npm is not at hand.")
    ] = None,
) -> None:
    """Download a real sticker set into the store as an ordinary data folder."""
    from rdtf_bench import catalog

    typer.echo(catalog.load("fetch", name).fetch_into(store, archives=archives, on_progress=_say))


# after the commands of this file, in whose order `--help` lists them
app.command()(score)
app.command()(generate)
app.command()(finetune)
app.command()(power)
app.command()(selftest)
app.command()(check)


def _planned(
    table: str,
    scale: str,
    data: list[str] | None,
    store: Path,
    extra: list[str] | None,
    method: list[str] | None,
    seeds: int | None,
) -> "Iterator[tuple[TableSpec, Scale, DataIdentity, list[Cell]]]":
    """The tables behind a name, with the rows that the options add, and their cells."""
    from rdtf_bench.run.protocols import load_tables, with_methods
    from rdtf_bench.run.table import context, external
    from rdtf_bench.spec.load import load_scale

    rows = external.read(extra or [])
    for named in load_tables(table, seeds):
        spec, sizes = with_methods(named, load_scale(scale), method or [])
        identity, cells = context.cells_of(spec, sizes, source_of(data, spec.dataset), store, rows)
        yield spec, sizes, identity, cells


def _refuse_unused(table: str, data: Data, extra: With, method: Methods, seeds: Seeds) -> None:
    """A protocol without trained rows cannot follow all flags of one that has them."""
    if not any(kind.are_in(table) for kind in (costs, sheets, validity)):
        return
    unused = {"--with": extra, "--method": method, "--seeds": seeds}
    if not validity.are_in(table):
        unused["--data"] = data
    if flags := [flag for flag, given in unused.items() if given]:
        raise ProtocolError(f"{table}: {', '.join(flags)} means nothing to it, as it trains no rows. Leave it out.")


def _print_table(
    table: str,
    scale: str,
    data: list[str] | None,
    store: Path,
    extra: list[str] | None,
    method: list[str] | None,
    seeds: int | None,
    format: str,
) -> None:
    from rdtf_bench.core.errors import unknown_name
    from rdtf_bench.report.table.table import joined, render
    from rdtf_bench.run import record
    from rdtf_bench.run.selftest import record as selftest_record

    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    terminal = sys.stdout.isatty()
    width = None if terminal else 120
    shown = []
    for spec, sizes, _, cells in _planned(table, scale, data, store, extra, method, seeds):
        records = record.find([cell.id for cell in cells], [record.folder_in(store), results_folder() / spec.name])
        warning = selftest_record.warning(store, sizes)
        shown.append(render(spec, sizes, cells, records, format=format, width=width, styled=terminal, warning=warning))
    typer.echo(joined(shown, format=format))


def _section(title: str, entries: dict[str, str]) -> None:
    typer.echo(title)
    for name, said in entries.items():
        typer.echo(f"  {name:20} {said}")


def _say(line: str) -> None:
    typer.echo(line, err=True)


def main() -> None:
    try:
        app()
    except BenchError as e:
        typer.echo(f"rdtf-bench: {e}", err=True)
        sys.exit(e.exit_status)
    except SystemExit as e:
        if e.code == INTERRUPTED:  # Ctrl-C, as typer reports it
            typer.echo("\nrdtf-bench: stopped. What is finished is kept; the same command goes on there.", err=True)
        raise


if __name__ == "__main__":
    main()
