"""`rdtf-bench replay`: compute a number again from its record alone."""

import shlex
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from rdtf_bench.commands.options import (
    DEFAULT_STORE,
    Data,
    Format,
    HeldStore,
    Quiet,
    Results,
    Seeds,
    Table,
    TableScale,
)
from rdtf_bench.commands.records.row import RowName, find, options
from rdtf_bench.commands.selection import Selection


def replay(
    table: Table,
    row: RowName,
    metric: Annotated[str | None, typer.Argument(metavar="METRIC", help="Only this metric; default: all.")] = None,
    scale: TableScale = None,
    data: Data = None,
    store: HeldStore = DEFAULT_STORE,
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

    from rdtf_bench.core.errors import RegressionError
    from rdtf_bench.report.layouts import require_format
    from rdtf_bench.report.table import replay as comparison
    from rdtf_bench.run import replay as replaying

    require_format(format)
    chosen = Selection(protocol=table, scale_name=scale, data=data, store=store, seeds=seeds, results_dir=results)
    spec, held = find(chosen, row)
    metrics = held.metrics(metric)
    with TemporaryDirectory(prefix="rdtf-bench-replay-") as fresh:
        source, root = chosen.source_of(spec.dataset), Path(fresh)
        planned = replaying.prepare(held.record, row=held.row, metrics=metrics, source=source, root=root)
        now = replaying.run(planned, root=root, console=Console(stderr=True), quiet=quiet)
    result = comparison.compare(held.record, now, row=held.row, metrics=metrics, expects_bits=planned.expects_bits)
    typer.echo(comparison.render(result, format=format))
    if result.faults:
        raise RegressionError(
            f"{held.place}: does not repeat: {'; '.join(result.faults)}. See what decided it: "
            + shlex.join(["rdtf-bench", "why", table, held.row, metrics[0], *options(chosen)])
        )
