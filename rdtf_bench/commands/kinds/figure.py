"""Figures of the paper that are drawn from a data folder or a curriculum: figure3, figure4 and figure5."""

import shutil
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import typer

from rdtf_bench.commands.kinds.kind import ABOUT_TRAINED_ROWS
from rdtf_bench.commands.selection import Selection

if TYPE_CHECKING:
    from rdtf_bench.run.figures.plan import PlannedFigure


@dataclass(frozen=True)
class Figures:
    """A picture, its numbers as CSV, and a table of them."""

    name: str = "figure"
    heading: str = "figures of data and of the curriculum"
    refuses: tuple[str, ...] = ABOUT_TRAINED_ROWS

    def run(self, chosen: Selection, *, tracking_uri: str | None, quiet: bool) -> None:  # noqa: ARG002
        from rich.console import Console

        from rdtf_bench.report.figures import paper
        from rdtf_bench.run.figures import plan
        from rdtf_bench.run.progress import Display

        planned = _planned(chosen)
        name = planned.spec.name
        with Display(Console(stderr=True), {name: 1.0}, quiet=quiet) as display:
            make = partial(paper.make, planned, skip_broken=chosen.skip_broken, sink=display)
            folder = planned.store.make(plan.KIND, planned.key, make)
        typer.echo(paper.render(planned, format="text"))
        if not quiet:
            typer.echo(f"{folder / plan.PICTURE}, {folder / plan.CSV}", err=True)

    def show(self, chosen: Selection, *, format: str) -> None:
        from rdtf_bench.report.figures import paper

        typer.echo(paper.render(_planned(chosen), format=format))

    def plan(self, chosen: Selection) -> None:
        planned = _planned(chosen)
        state = f"done: {planned.folder}" if planned.is_done else "to do, in at most about 2 minutes"
        typer.echo(f"  {planned.key}  {planned.spec.name}: {state}")

    def publish(self, chosen: Selection) -> None:
        from rdtf_bench.report.figures import paper
        from rdtf_bench.report.results import write_section
        from rdtf_bench.run.figures import plan

        planned, results = _planned(chosen), chosen.results
        spec, scale = planned.spec, chosen.scale.name
        text = paper.render(planned, format="md")
        path = write_section(results, spec.name, spec.title, scale, text)
        for name in (plan.PICTURE, plan.CSV):
            shutil.copyfile(planned.folder / name, path.with_suffix(f".{name.rpartition('.')[2]}"))
        typer.echo(f"{path} with picture and CSV file beside it, also in {results / 'README.md'}")

    def validate(self, protocol: str) -> None:
        from rdtf_bench.run.figures import plan

        spec = plan.load(protocol)
        typer.echo(f"{spec.name}: a figure of {spec.dataset} data")


def _planned(chosen: Selection) -> "PlannedFigure":
    from rdtf_bench.run.figures import plan

    spec = plan.load(chosen.protocol)
    return plan.plan(spec, chosen.scale, chosen.source_of(spec.dataset), chosen.store)
