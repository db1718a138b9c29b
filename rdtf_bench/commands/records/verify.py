"""`rdtf-bench verify`: check what the paper states against our records."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from rdtf_bench.commands.options import DEFAULT_STORE, Data, Format, HeldStore, Results, TableScale
from rdtf_bench.commands.selection import Selection

if TYPE_CHECKING:
    from rdtf_bench.report.table.claims import Judged
    from rdtf_bench.spec.claims import ClaimSet

app = typer.Typer(no_args_is_help=True, help="Check what the paper states against our records.")


@app.callback()
def verify() -> None:
    """Check what the paper states against our records."""


@app.command(epilog="Example: rdtf-bench verify paper --format md")
def paper(
    scale: TableScale = None,
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
    from rdtf_bench.spec.claims import load

    require_format(format)
    chosen = Selection(protocol="table1", scale_name=scale, data=data, store=store, seeds=seeds, results_dir=results)
    judged: list[Judged] = []
    scales: dict[str, str] = {}
    for stated in load():
        asked = replace(chosen, protocol=stated.name)
        judged += _JUDGES[stated.protocol](stated, asked)
        if stated.protocol != "costs":  # which are those of full size
            scales[stated.name] = asked.scale.name
    typer.echo(render(judged, scales=scales, format=format))


def _judge_costs(stated: "ClaimSet", asked: Selection) -> "list[Judged]":
    from rdtf_bench.report.table import claims
    from rdtf_bench.run.costs import record
    from rdtf_bench.run.protocols import load_costs

    measured = load_costs(stated.name)
    found = record.find(measured, [asked.store / "costs", asked.results / measured.name])
    return claims.judge(stated, claims.of_costs(found))


def _judge_study(stated: "ClaimSet", asked: Selection) -> "list[Judged]":
    from rdtf_bench.commands.kinds.arena import planned_of, study_of_rows
    from rdtf_bench.report.table import claims

    return claims.judge(stated, *claims.of_study(study_of_rows(planned_of(asked), asked)))


def _judge_table(stated: "ClaimSet", asked: Selection) -> "list[Judged]":
    from rdtf_bench.report.provenance.sources import published_seeds
    from rdtf_bench.report.table import claims
    from rdtf_bench.report.table.rows import rows
    from rdtf_bench.run import record
    from rdtf_bench.run.protocols import load_tables
    from rdtf_bench.run.table.context import cells_of

    published = asked.results / stated.name
    (spec,) = load_tables(stated.name, asked.seeds or published_seeds(published, asked.scale.name))
    _, cells = cells_of(spec, asked.scale, asked.source_of(spec.dataset), asked.store)
    found = record.find([cell.id for cell in cells], [record.folder_in(asked.store), published])
    return claims.judge(stated, rows(spec, cells, found))


_JUDGES: "dict[str, Callable[[ClaimSet, Selection], list[Judged]]]" = {
    "table": _judge_table,
    "costs": _judge_costs,
    "arena": _judge_study,
}
