"""Protocols of validity, as metric-validity and fvd-8-frames: what `run`, `show` and `plan` do for them."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from rdtf_bench.spec.schema import ValiditySpec


def are_in(table: str) -> bool:
    from rdtf_bench.spec.load import validity_names

    return table in validity_names()


def run(table: str, scale: str, data: list[str] | None, store: Path, *, skip_broken: bool, quiet: bool) -> None:
    from rich.console import Console

    from rdtf_bench.report.validity import curves as report
    from rdtf_bench.run.progress import Display
    from rdtf_bench.run.validity import agreement
    from rdtf_bench.run.validity import measure as validity_measure
    from rdtf_bench.run.validity import plan as validity_plan
    from rdtf_bench.spec.load import load_scale

    spec, sizes = validity_plan.load(table), load_scale(scale)
    source = _source(spec, data)
    with Display(Console(stderr=True), {table: 1.0}, quiet=quiet) as display:
        found = validity_measure.run(spec, sizes, source=source, root=store, skip_broken=skip_broken, sink=display)
    agreements = agreement.read_all(spec, sizes, source, store)
    pictures = report.draw(found, agreements, store / "pictures" / f"{table}-{scale}")
    typer.echo(report.render(spec, found, agreements, format="text"))
    if not quiet:
        typer.echo(f"{', '.join(map(str, pictures))}", err=True)


def show(table: str, scale: str, data: list[str] | None, store: Path, *, format: str) -> None:
    from rdtf_bench.report.validity import curves as report
    from rdtf_bench.run.validity import agreement
    from rdtf_bench.run.validity import plan as validity_plan
    from rdtf_bench.spec.load import load_scale

    spec, sizes = validity_plan.load(table), load_scale(scale)
    source = _source(spec, data)
    found = validity_plan.read_all(spec, sizes, source, store)
    typer.echo(report.render(spec, found, agreement.read_all(spec, sizes, source, store), format=format))


def plan(table: str, scale: str, data: list[str] | None, store: Path) -> None:
    from rdtf_bench.core.store import Store
    from rdtf_bench.run.validity import plan as validity_plan
    from rdtf_bench.spec.load import load_scale

    spec, held = validity_plan.load(table), Store(store)
    for curve in validity_plan.plan(spec, load_scale(scale), _source(spec, data), store):
        state = "done" if held.has(validity_plan.KIND, curve.key) else "to do"
        typer.echo(f"  {curve.key}  {curve.look.name:16} {curve.fault:14} {state}")


def _source(spec: "ValiditySpec", data: list[str] | None) -> str | None:
    from rdtf_bench.commands.options import source_of

    return source_of(data, spec.dataset) or spec.source
