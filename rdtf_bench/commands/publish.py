"""`rdtf-bench publish`: copy the records of a protocol into results/."""

from pathlib import Path
from typing import Annotated

import typer

from rdtf_bench.commands.kinds import kind_for
from rdtf_bench.commands.options import (
    DEFAULT_STORE,
    Data,
    HeldStore,
    Methods,
    Pipelines,
    Results,
    Seeds,
    Table,
    TableScale,
    With,
)
from rdtf_bench.commands.selection import Selection


def publish(
    table: Table,
    scale: TableScale = None,
    data: Data = None,
    store: HeldStore = DEFAULT_STORE,
    with_clips: With = None,
    method: Methods = None,
    pipeline: Pipelines = None,
    seeds: Seeds = None,
    results: Results = None,
    with_weights: Annotated[
        bool,
        typer.Option("--with-weights", help="Also copy the trained rows into the package."),
    ] = False,
    picture: Annotated[
        Path | None,
        typer.Option("--picture", dir_okay=False, help="Also write the samples of a table to this GIF."),
    ] = None,
) -> None:
    """Copy the records of a protocol into results/ and write results/README.md anew."""
    chosen = Selection(
        protocol=table,
        scale_name=scale,
        data=data,
        store=store,
        clips=with_clips,
        methods=method,
        pipelines=pipeline,
        seeds=seeds,
        results_dir=results,
        with_weights=with_weights,
        picture=picture,
    )
    kind_for(chosen).publish(chosen)
