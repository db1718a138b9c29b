"""`rdtf-bench power`: how many clips a table's differences need."""

import typer

from rdtf_bench.commands.options import DEFAULT_STORE, Data, ScaleName, StoreDir, Table, results_folder, source_of


def power(table: Table, scale: ScaleName = "tiny", data: Data = None, store: StoreDir = DEFAULT_STORE) -> None:
    """Say how many test clips would resolve the paper's differences, from the variances of a table that was run."""
    from rdtf_bench.report.table import power as powers
    from rdtf_bench.run import record
    from rdtf_bench.run.protocols import load_tables
    from rdtf_bench.run.table import context
    from rdtf_bench.spec.load import load_scale

    sizes = load_scale(scale)
    for spec in load_tables(table):
        _, cells = context.cells_of(spec, sizes, source_of(data, spec.dataset), store)
        records = record.find([cell.id for cell in cells], [record.folder_in(store), results_folder() / spec.name])
        typer.echo(f"{spec.name}: {spec.title}\n\n{powers.text(powers.pairs(spec, cells, records))}")
