"""`rdtf-bench why`: say what decided a number."""

from typing import Annotated

import typer

from rdtf_bench.commands.options import (
    DEFAULT_STORE,
    Data,
    Format,
    HeldStore,
    Results,
    Seeds,
    Table,
    TableScale,
)
from rdtf_bench.commands.records.row import RowName, find, options
from rdtf_bench.commands.selection import Selection


def why(
    table: Table,
    row: RowName,
    metric: Annotated[str, typer.Argument(metavar="METRIC", help="A metric of the table, such as fvd.")],
    scale: TableScale = None,
    data: Data = None,
    store: HeldStore = DEFAULT_STORE,
    seeds: Seeds = None,
    results: Results = None,
    format: Format = "text",
) -> None:
    """Say what decided a number: configuration, data, weights, seeds, code and machine, and how to repeat it."""
    from rdtf_bench.report.layouts import require_format
    from rdtf_bench.report.provenance.why import render
    from rdtf_bench.report.provenance.why import why as decided

    require_format(format)
    chosen = Selection(protocol=table, scale_name=scale, data=data, store=store, seeds=seeds, results_dir=results)
    _, held = find(chosen, row)
    typer.echo(render(decided(held, chosen.protocol, metric, options=options(chosen)), format=format))
