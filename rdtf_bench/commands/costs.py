"""Tables of costs, as table8: what `run`, `show`, `plan` and `publish` do for them."""

import shutil
from pathlib import Path

import typer

from rdtf_bench.core.errors import StoreError


def are_in(table: str) -> bool:
    from rdtf_bench.spec.load import cost_names

    return table in cost_names()


def run(table: str, store: Path, *, quiet: bool) -> None:
    from rdtf_bench.report.costs import render
    from rdtf_bench.run.costs import measure as costs_measure
    from rdtf_bench.spec.load import load_costs

    spec = load_costs(table)
    record = costs_measure.run(spec, root=store, say=lambda line: None if quiet else typer.echo(line, err=True))
    typer.echo(render(spec, record, format="text"))


def show(table: str, store: Path, results: Path, *, format: str) -> None:
    from rdtf_bench.report.costs import render
    from rdtf_bench.run.costs.record import find
    from rdtf_bench.spec.load import load_costs

    spec = load_costs(table)
    typer.echo(render(spec, find(spec, [store / "costs", results / table]), format=format))


def plan(table: str, store: Path) -> None:
    from rdtf_bench.run.costs.record import find
    from rdtf_bench.spec.load import load_costs

    spec = load_costs(table)
    state = (
        "measured"
        if find(spec, [store / "costs"])
        else f"to be measured, at most about {spec.max_seconds / 60:.0f} min"
    )
    typer.echo(f"{table}: {len(spec.rows)} rows at full size, {' and '.join(spec.precisions)}: {state}")


def publish(table: str, store: Path, results: Path) -> None:
    from rdtf_bench.run.costs.record import key
    from rdtf_bench.spec.load import load_costs

    name = key(load_costs(table))
    if not (store / "costs" / name).is_dir():
        raise StoreError(f"{store}: {table} has not been measured there yet. Run: rdtf-bench run {table}")
    typer.echo(shutil.copytree(store / "costs" / name, results / table / name, dirs_exist_ok=True))
