"""`rdtf-bench verify`: check what the paper states against our records."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from rdtf_bench.commands.options import DEFAULT_SCALE, DEFAULT_STORE, Data, Format, HeldStore, Results, ScaleName
from rdtf_bench.commands.selection import Selection

if TYPE_CHECKING:
    from rdtf_bench.report.table.claims import Judged

app = typer.Typer(no_args_is_help=True, help="Check what the paper states against our records.")


@app.callback()
def verify() -> None:
    """Check what the paper states against our records."""


@app.command(epilog="Example: rdtf-bench verify paper --format md")
def paper(
    scale: ScaleName = DEFAULT_SCALE,
    data: Data = None,
    store: HeldStore = DEFAULT_STORE,
    seeds: Annotated[
        int | None,
        typer.Option(
            "--seeds", min=1, help="Use this many random seeds, as far as they were run; default: those published."
        ),
    ] = None,
    results: Results = None,
    format: Format = "text",
) -> None:
    """Say which orderings in the paper's tables our records confirm or contradict, and which they cannot decide."""
    from rdtf_bench.report.layouts import require_format
    from rdtf_bench.report.table.claims import render

    require_format(format)
    chosen = Selection(protocol="table1", scale_name=scale, data=data, store=store, seeds=seeds, results_dir=results)
    typer.echo(render(list(_judged(chosen)), scale=chosen.scale.name, format=format))


def _judged(chosen: Selection) -> "Iterator[Judged]":
    """Yield the verdict of every claim, table by table."""
    from rdtf_bench.commands.kinds.arena import planned_of, study_of_rows
    from rdtf_bench.report.provenance.sources import published_seeds
    from rdtf_bench.report.table import claims
    from rdtf_bench.report.table.rows import rows
    from rdtf_bench.run import record
    from rdtf_bench.run.costs import record as costs
    from rdtf_bench.run.protocols import load_costs, load_tables
    from rdtf_bench.run.table.context import cells_of
    from rdtf_bench.spec.claims import load

    at_scale = chosen.scale
    for stated in load():
        if stated.protocol == "costs":
            measured = load_costs(stated.name)
            found = costs.find(measured, [chosen.store / "costs", chosen.results / measured.name])
            yield from claims.judge(stated, claims.of_costs(found))
            continue
        if stated.protocol == "arena":
            asked = replace(chosen, protocol=stated.name)
            yield from claims.judge(stated, *claims.of_study(study_of_rows(planned_of(asked), asked)))
            continue
        seeds = chosen.seeds or published_seeds(chosen.results / stated.name, at_scale.name)
        (spec,) = load_tables(stated.name, seeds)
        _, cells = cells_of(spec, at_scale, chosen.source_of(spec.dataset), chosen.store)
        folders = [record.folder_in(chosen.store), chosen.results / spec.name]
        yield from claims.judge(stated, rows(spec, cells, record.find([cell.id for cell in cells], folders)))
