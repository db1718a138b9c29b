"""`rdtf-bench power`: estimate how many clips a table's differences need."""

import typer

from rdtf_bench.commands.options import (
    DEFAULT_STORE,
    Data,
    HeldStore,
    Table,
    TableScale,
)
from rdtf_bench.commands.selection import Selection


def power(table: Table, scale: TableScale = None, data: Data = None, store: HeldStore = DEFAULT_STORE) -> None:
    """Estimate how many test clips would resolve the paper's differences, from the variances of a finished table."""
    from rdtf_bench.report.table import power as powers
    from rdtf_bench.run import record
    from rdtf_bench.run.protocols import load_tables
    from rdtf_bench.run.table import context

    chosen = Selection(protocol=table, scale_name=scale, data=data, store=store)
    for spec in load_tables(table):
        _, cells = context.cells_of(spec, chosen.scale, chosen.source_of(spec.dataset), store)
        records = record.find([cell.id for cell in cells], [record.folder_in(store), chosen.results / spec.name])
        pairs = powers.pairs(spec, chosen.scale, cells, records, chosen.options)
        typer.echo(f"{spec.name}: {spec.title}\n\n{powers.text(pairs)}")
