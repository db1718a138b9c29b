"""`rdtf-bench replay`: compute a number again from its record alone."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from rdtf_bench.commands.options import (
    DEFAULT_SCALE,
    DEFAULT_STORE,
    Data,
    Format,
    Quiet,
    Results,
    ScaleName,
    Seeds,
    StoreDir,
    Table,
)
from rdtf_bench.commands.records.why import RowName
from rdtf_bench.commands.selection import select


def replay(
    table: Table,
    row: RowName,
    metric: Annotated[str | None, typer.Argument(metavar="METRIC", help="Only this metric; default: all.")] = None,
    scale: ScaleName = DEFAULT_SCALE,
    data: Data = None,
    store: StoreDir = DEFAULT_STORE,
    seeds: Seeds = None,
    results: Results = None,
    quiet: Quiet = False,
    format: Format = "text",
) -> None:
    """Train, sample and score a row again from its record alone, and compare; exit status 7 if it does not repeat.

    The work happens in a temporary store, which is removed at the end. On an equal machine the clips must have the same
    bits; elsewhere scores may differ by the tolerance of `check`.
    """
    from rich.console import Console

    from rdtf_bench.core.errors import RegressionError, unknown_name
    from rdtf_bench.report.layouts import require_format
    from rdtf_bench.report.provenance import sources
    from rdtf_bench.report.table import replay as comparison
    from rdtf_bench.run import replay as replaying

    require_format(format)
    chosen = select(table, scale, data, store, seeds=seeds, results=results)
    spec = sources.one_table(table, seeds)
    source = chosen.source_of(spec.dataset)
    found = sources.rows_of(spec, chosen.scale, source=source, store=store, results=chosen.results)
    held = sources.row_named(sources.require_rows(found, spec.as_argument, chosen.scale.as_argument), row)
    if metric is not None and metric not in held.record.scores:
        raise unknown_name(f"metric of the row {held.row!r}", metric, held.record.scores)
    metrics = (metric,) if metric is not None else tuple(held.record.scores)
    with TemporaryDirectory(prefix="rdtf-bench-replay-") as fresh:
        planned = replaying.prepare(held.record, row=held.row, metrics=metrics, source=source, root=Path(fresh))
        now = replaying.run(planned, root=Path(fresh), console=Console(stderr=True), quiet=quiet)
    result = comparison.compare(held.record, now, row=held.row, metrics=metrics, expects_bits=planned.expects_bits)
    typer.echo(comparison.render(result, format=format))
    if result.faults:
        raise RegressionError(
            f"{held.place}: does not repeat: {'; '.join(result.faults)}. See what differs: rdtf-bench why "
            f"{spec.as_argument} {held.row!r} {metrics[0]}"
        )
