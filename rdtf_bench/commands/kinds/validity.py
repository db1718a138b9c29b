"""Validity protocols: what each metric sees of known faults, such as metric-validity and fvd-8-frames."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from rdtf_bench.commands.kinds.kind import ABOUT_TRAINED_ROWS
from rdtf_bench.commands.options import DEFAULT_STORE
from rdtf_bench.commands.selection import Selection

if TYPE_CHECKING:
    from rdtf_bench.spec.schema import ValiditySpec


@dataclass(frozen=True)
class Validities:
    """Curves of each metric over the strength of faults that are put into real clips."""

    name: str = "validity"
    heading: str = "validity of the metrics"
    refuses: tuple[str, ...] = ABOUT_TRAINED_ROWS

    def run(self, chosen: Selection, *, tracking_uri: str | None, quiet: bool) -> None:  # noqa: ARG002
        from rich.console import Console

        from rdtf_bench.report.validity import curves
        from rdtf_bench.run.progress import Display
        from rdtf_bench.run.validity import agreement, measure, plan

        spec, scale = plan.load(chosen.protocol), chosen.scale
        source = _source(spec, chosen)
        with Display(Console(stderr=True), {spec.name: 1.0}, quiet=quiet) as display:
            found = measure.run(
                spec, scale, source=source, root=chosen.store, skip_broken=chosen.skip_broken, sink=display
            )
        agreements = agreement.read_all(spec, scale, source, chosen.store)
        pictures = curves.draw(found, agreements, chosen.store / "pictures" / f"{spec.name}-{scale.name}")
        typer.echo(curves.render(spec, found, agreements, format="text"))
        if not quiet:
            typer.echo(f"{', '.join(map(str, pictures))}", err=True)

    def show(self, chosen: Selection, *, format: str) -> None:
        typer.echo(_rendered(chosen, format=format))

    def plan(self, chosen: Selection) -> None:
        from rdtf_bench.core.store import Store
        from rdtf_bench.run.validity import plan

        spec, held = plan.load(chosen.protocol), Store(chosen.store)
        for curve in plan.plan(spec, chosen.scale, _source(spec, chosen), chosen.store):
            state = "done" if held.has(plan.KIND, curve.key) else "to do"
            typer.echo(f"  {curve.key}  {curve.look.name:16} {curve.fault:14} {state}")

    def publish(self, chosen: Selection) -> None:
        from rdtf_bench.core.store import write_text
        from rdtf_bench.report.results import write_section
        from rdtf_bench.run.validity import plan

        spec, scale, results = plan.load(chosen.protocol), chosen.scale, chosen.results
        text = _rendered(chosen, format="md")
        write_text(results / spec.name / f"{scale.name}.json", _rendered(chosen, format="json") + "\n")
        path = write_section(results, spec.name, spec.title, scale.name, text)
        typer.echo(f"{path}, also in {results / 'README.md'}")

    def validate(self, protocol: str) -> None:
        from rdtf_bench.run.protocols import load_scale
        from rdtf_bench.run.validity import plan
        from rdtf_bench.spec.load import scale_names

        spec = plan.load(protocol)
        for scale in scale_names():
            curves = plan.plan(spec, load_scale(scale), None, DEFAULT_STORE)
            typer.echo(f"{spec.name} at {scale}: {len(curves)} curves of {len(spec.faults)} faults")


def _source(spec: "ValiditySpec", chosen: Selection) -> str | None:
    return chosen.source_of(spec.dataset) or spec.source


def _rendered(chosen: Selection, *, format: str) -> str:
    from rdtf_bench.report.validity import curves
    from rdtf_bench.run.validity import agreement, plan

    spec, scale = plan.load(chosen.protocol), chosen.scale
    source = _source(spec, chosen)
    found = plan.read_all(spec, scale, source, chosen.store)
    return curves.render(spec, found, agreement.read_all(spec, scale, source, chosen.store), format=format)
