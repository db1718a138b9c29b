"""`rdtf-bench why`: say what decided a number."""

from typing import Annotated

import typer

from rdtf_bench.commands.options import (
    DEFAULT_SCALE,
    DEFAULT_STORE,
    Data,
    Format,
    Results,
    ScaleName,
    Seeds,
    StoreDir,
    Table,
)
from rdtf_bench.commands.selection import select

RowName = Annotated[str, typer.Argument(metavar="ROW", help="A row of the table, such as RDTF or 'RDTF, seed 1'.")]


def why(
    table: Table,
    row: RowName,
    metric: Annotated[str, typer.Argument(metavar="METRIC", help="A metric of the table, such as fvd.")],
    scale: ScaleName = DEFAULT_SCALE,
    data: Data = None,
    store: StoreDir = DEFAULT_STORE,
    seeds: Seeds = None,
    results: Results = None,
    format: Format = "text",
) -> None:
    """Say what decided a number: configuration, data, weights, seeds, code and machine, and how to repeat it."""
    from rdtf_bench.report.layouts import require_format
    from rdtf_bench.report.provenance import sources
    from rdtf_bench.report.provenance.why import render
    from rdtf_bench.report.provenance.why import why as decided

    require_format(format)
    chosen = select(table, scale, data, store, seeds=seeds, results=results)
    spec = sources.one_table(table, seeds)
    found = sources.rows_of(
        spec, chosen.scale, source=chosen.source_of(spec.dataset), store=store, results=chosen.results
    )
    held = sources.row_named(sources.require_rows(found, spec.as_argument, chosen.scale.as_argument), row)
    typer.echo(render(decided(held, spec.as_argument, metric), format=format))
