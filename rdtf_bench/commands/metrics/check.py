"""`rdtf-bench check`: find out whether a change of the code moved a number."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from rdtf_bench.commands.options import Quiet, Results, ScaleName, results_folder

NAME = "ci"
"""Name of the protocol, of its scale and of its folder in results/."""


def check(
    scale: ScaleName = NAME,
    store: Annotated[
        Path | None,
        typer.Option("--store", help="Use what this store holds; default: measure everything anew, and keep nothing."),
    ] = None,
    results: Results = None,
    quiet: Quiet = False,
) -> None:
    """Measure the table `ci` and compare it with the published one; exit status 7 where a number moved."""
    from rich.console import Console

    from rdtf_bench.core.errors import RegressionError
    from rdtf_bench.report.published import read_published
    from rdtf_bench.report.table import regression
    from rdtf_bench.run import environment, record
    from rdtf_bench.run.protocols import load_scale, load_table
    from rdtf_bench.run.table import execute

    folder = (results or results_folder()) / NAME
    at_scale = load_scale(scale)
    published = read_published(folder, at_scale.name)
    with TemporaryDirectory(prefix="rdtf-bench-check-") as fresh:
        outcome = execute.run(
            load_table(NAME),
            at_scale,
            source=None,
            root=store or Path(fresh),
            skip_broken=False,
            console=Console(stderr=True),
            quiet=quiet,
            command=environment.command_line(),
        )
    then = record.find([cell.id for cell in published], [folder])
    compared = regression.compare(published, then, outcome.cells, outcome.records)
    typer.echo(regression.text(compared))
    if moved := [found for found in compared if found.fault]:
        told = "; ".join(f"{found.row} {found.metric} {found.fault}" for found in moved)
        raise RegressionError(
            f"{len(moved)} of {len(compared)} numbers do not stand as published in {folder}: {told}. If that is meant, "
            f"bump the VERSION of what changed and publish anew: rdtf-bench run {NAME} --scale {scale} --store NEW, "
            f"then rdtf-bench publish {NAME} --scale {scale} --store NEW"
        )
