"""Tables of costs at full size, such as table8."""

import shutil
from dataclasses import dataclass

import typer

from rdtf_bench.commands.kinds.kind import ABOUT_TRAINED_ROWS
from rdtf_bench.commands.selection import Selection
from rdtf_bench.core.errors import StoreError


@dataclass(frozen=True)
class Costs:
    """Parameters, operations, seconds and memory of each denoiser, with random weights."""

    name: str = "costs"
    heading: str = "costs"
    refuses: tuple[str, ...] = ("--data", *ABOUT_TRAINED_ROWS)

    def run(self, chosen: Selection, *, tracking_uri: str | None, quiet: bool) -> None:  # noqa: ARG002
        from rdtf_bench.report.costs import render
        from rdtf_bench.run.costs import measure
        from rdtf_bench.run.protocols import load_costs

        spec = load_costs(chosen.protocol)
        record = measure.run(spec, root=chosen.store, say=lambda line: None if quiet else typer.echo(line, err=True))
        typer.echo(render(spec, record, format="text"))

    def show(self, chosen: Selection, *, format: str) -> None:
        from rdtf_bench.report.costs import render
        from rdtf_bench.run.costs.record import find
        from rdtf_bench.run.protocols import load_costs

        spec = load_costs(chosen.protocol)
        record = find(spec, [chosen.store / "costs", chosen.results / spec.name])
        typer.echo(render(spec, record, format=format, options=chosen.options))

    def plan(self, chosen: Selection) -> None:
        from rdtf_bench.run.costs.record import find
        from rdtf_bench.run.protocols import load_costs

        spec = load_costs(chosen.protocol)
        is_measured = find(spec, [chosen.store / "costs"]) is not None
        state = "measured" if is_measured else f"to be measured, in at most about {spec.max_seconds / 60:.0f} min"
        typer.echo(f"{spec.name}: {len(spec.rows)} rows at full size, {' and '.join(spec.precisions)}: {state}")

    def publish(self, chosen: Selection) -> None:
        from rdtf_bench.report.costs import render
        from rdtf_bench.report.results import write_section
        from rdtf_bench.run.costs.record import find, key
        from rdtf_bench.run.protocols import load_costs
        from rdtf_bench.spec.command import command

        spec = load_costs(chosen.protocol)
        measured = chosen.store / "costs" / key(spec)
        if not measured.is_dir():
            raise StoreError(
                f"{chosen.store}: {spec.name} has not been measured there yet. Run: "
                f"{command('run', spec, None, chosen.options)}"
            )
        results = chosen.results
        copied = shutil.copytree(measured, results / spec.name / key(spec), dirs_exist_ok=True)
        text = render(spec, find(spec, [chosen.store / "costs"]), format="md")
        write_section(results, spec.name, spec.title, spec.scale, text)
        typer.echo(f"{copied}, table in {results / 'README.md'}")

    def validate(self, protocol: str) -> None:
        from rdtf_bench.run.costs.parameters import configured, parameter_counts
        from rdtf_bench.run.protocols import load_costs, load_scale

        spec = load_costs(protocol)
        scale = load_scale(spec.scale)
        for row in spec.rows:
            configured(row.method, scale, row.options)
        for reading in spec.readings:
            parameter_counts(reading.method, scale, reading.options)
        typer.echo(f"{spec.name}: {len(spec.rows)} rows and {len(spec.readings)} readings at {spec.scale}")
