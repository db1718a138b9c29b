"""`rdtf-bench report`: write a table, its clips and its provenance as an HTML page."""

from pathlib import Path
from typing import Annotated

import typer

from rdtf_bench.commands.kinds import kind_for
from rdtf_bench.commands.kinds.table import Tables
from rdtf_bench.commands.options import (
    DEFAULT_SCALE,
    DEFAULT_STORE,
    Data,
    Methods,
    Results,
    ScaleName,
    Seeds,
    StoreDir,
    Table,
    With,
)
from rdtf_bench.commands.selection import select


def report(
    table: Table,
    scale: ScaleName = DEFAULT_SCALE,
    data: Data = None,
    store: StoreDir = DEFAULT_STORE,
    extra: With = None,
    method: Methods = None,
    seeds: Seeds = None,
    results: Results = None,
    out: Annotated[
        Path | None, typer.Option(help="Write this file; default: report-PROTOCOL.html in the current folder.")
    ] = None,
) -> None:
    """Write one HTML file with the table, its clips in motion, scores of clips, curves, costs and provenance.

    The file needs no network. Clips, scores of clips and curves come from the store; without one, the page shows the
    published numbers and says which command makes the rest.
    """
    from rdtf_bench.core.errors import ProtocolError

    chosen = select(table, scale, data, store, external=extra, methods=method, seeds=seeds, results=results)
    kind = kind_for(chosen)
    if not isinstance(kind, Tables):
        raise ProtocolError(
            f"{table}: a page shows a protocol with trained rows, and this one is of kind {kind.name!r}. Print it "
            f"with: rdtf-bench show {table}"
        )
    for path in kind.report(chosen, out=out):
        typer.echo(f"{path}: {path.stat().st_size / 1e6:.1f} MB", err=True)
