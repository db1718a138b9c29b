"""The row of a table that `why` and `replay` are asked about."""

from typing import TYPE_CHECKING, Annotated

import typer

from rdtf_bench.commands.options import results_folder
from rdtf_bench.commands.selection import Selection

if TYPE_CHECKING:  # for the annotations alone: `--help` reads no schema
    from rdtf_bench.report.provenance.sources import Recorded
    from rdtf_bench.spec.schema import TableSpec

RowName = Annotated[str, typer.Argument(metavar="ROW", help="A row of the table, such as RDTF or 'RDTF, seed 1'.")]


def options(chosen: Selection) -> list[str]:
    """Return the options with which a command finds the same record of a table."""
    return [
        *("--scale", chosen.scale_name or chosen.scale.name),
        *chosen.options,
        *(() if chosen.results == results_folder() else ("--results", str(chosen.results))),
    ]


def find(chosen: Selection, row: str) -> "tuple[TableSpec, Recorded]":
    """Return the selected table and the record of a row, from the store or else from the published results."""
    from rdtf_bench.report.provenance import sources
    from rdtf_bench.spec.command import command

    spec, scale = sources.one_table(chosen.protocol, chosen.seeds), chosen.scale
    source = chosen.source_of(spec.dataset)
    found = sources.rows_of(spec, scale, source=source, store=chosen.store, results=chosen.results)
    run = command("run", spec, scale, chosen.options)
    return spec, sources.row_named(sources.require_rows(found, spec.name, scale.name, run=run), row)
