"""`rdtf-bench report`: write a table, its clips and its provenance as an HTML page."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from rdtf_bench.commands.kinds import kind_for
from rdtf_bench.commands.kinds.table import Tables
from rdtf_bench.commands.options import (
    DEFAULT_STORE,
    Data,
    HeldStore,
    Methods,
    Pipelines,
    Quiet,
    Results,
    Seeds,
    TableScale,
    With,
)
from rdtf_bench.commands.selection import Selection

SITE = Path("report")


def report(
    table: Annotated[
        str | None,
        typer.Argument(
            metavar="PROTOCOL", help="A table or set of tables: a name that `rdtf-bench list` prints, or a YAML file."
        ),
    ] = None,
    scale: TableScale = None,
    data: Data = None,
    store: HeldStore = DEFAULT_STORE,
    with_clips: With = None,
    method: Methods = None,
    pipeline: Pipelines = None,
    seeds: Seeds = None,
    results: Results = None,
    all_tables: Annotated[
        bool, typer.Option("--all", help="Write a page for every table in results/, and an index that links to them.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write this file, or with --all this folder; default: report-PROTOCOL.html or report/, in the current "
            "folder."
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Write one HTML file with the table, its clips in motion, scores of clips, curves, costs and provenance.

    The file needs no network. Clips, scores of clips and curves come from the store; without one, the page shows the
    published numbers and says which command makes the rest.
    """
    from rdtf_bench.core.errors import ProtocolError

    if all_tables == (table is not None):
        raise ProtocolError("report needs either a protocol, such as table1, or --all for everything in results/")
    chosen = Selection(
        protocol=table or "",
        scale_name=scale,
        data=data,
        store=store,
        clips=with_clips,
        methods=method,
        pipelines=pipeline,
        seeds=seeds,
        results_dir=results,
    )
    if all_tables:
        _refuse_options_of_one_table(chosen)
    for path in _site(chosen, out) if all_tables else _pages(chosen, out, quiet):
        typer.echo(f"{path}: {path.stat().st_size / 1e3:,.0f} kB", err=True)


def _refuse_options_of_one_table(chosen: Selection) -> None:
    from rdtf_bench.core.errors import ProtocolError

    given = [option for option, value in {"--scale": chosen.scale_name, **chosen.row_options()}.items() if value]
    if given:
        raise ProtocolError(
            f"--all shows every published table as it was measured, so it takes no {', '.join(given)}. Leave that out, "
            "or name one table: rdtf-bench report table1"
        )


def _pages(chosen: Selection, out: Path | None, quiet: bool) -> Iterable[Path]:
    from rdtf_bench.core.errors import ProtocolError

    kind = kind_for(chosen)
    if not isinstance(kind, Tables):
        raise ProtocolError(
            f"{chosen.protocol}: a page shows a protocol with trained rows, and this one is of kind {kind.name!r}. "
            f"Print it with: rdtf-bench show {chosen.protocol}"
        )
    return kind.report(chosen, out=out, quiet=quiet)


def _site(chosen: Selection, out: Path | None) -> Iterable[Path]:
    from rdtf_bench.core.store import Store
    from rdtf_bench.report.page import site

    return site.write(chosen.results, out or SITE, Store(chosen.store))
