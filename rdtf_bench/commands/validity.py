"""Protocols of validity, as metric-validity: what `run`, `show` and `plan` do for them."""

from pathlib import Path

import typer


def are_in(table: str) -> bool:
    from rdtf_bench.spec.load import validity_names

    return table in validity_names()


def run(table: str, scale: str, data: list[str] | None, store: Path, *, skip_broken: bool, quiet: bool) -> None:
    from rich.console import Console

    from rdtf_bench.commands.options import source_of
    from rdtf_bench.report import validity as report
    from rdtf_bench.run import curves, validity
    from rdtf_bench.run.progress import Display
    from rdtf_bench.spec.load import load_scale

    spec = curves.load(table)
    with Display(Console(stderr=True), {table: 1.0}, quiet=quiet) as display:
        found = validity.run(
            spec,
            load_scale(scale),
            source=source_of(data, spec.dataset),
            root=store,
            skip_broken=skip_broken,
            sink=display,
        )
    pictures = report.draw(found, store / "pictures" / f"{table}-{scale}")
    typer.echo(report.render(spec, found, format="text"))
    if not quiet:
        typer.echo(f"{', '.join(map(str, pictures))}", err=True)


def show(table: str, scale: str, data: list[str] | None, store: Path, *, format: str) -> None:
    from rdtf_bench.commands.options import source_of
    from rdtf_bench.report import validity as report
    from rdtf_bench.run import curves
    from rdtf_bench.spec.load import load_scale

    spec = curves.load(table)
    found = curves.read_all(spec, load_scale(scale), source_of(data, spec.dataset), store)
    typer.echo(report.render(spec, found, format=format))


def plan(table: str, scale: str, data: list[str] | None, store: Path) -> None:
    from rdtf_bench.commands.options import source_of
    from rdtf_bench.core.store import Store
    from rdtf_bench.run import curves
    from rdtf_bench.spec.load import load_scale

    spec, held = curves.load(table), Store(store)
    for curve in curves.plan(spec, load_scale(scale), source_of(data, spec.dataset), store):
        state = "done" if held.has(curves.KIND, curve.key) else "to do"
        typer.echo(f"  {curve.key}  {curve.metric:8} {curve.fault:14} {state}")
