"""Tables that nothing is measured for, as table6 and table7: what `run`, `show` and `plan` do for them."""

import typer


def are_in(table: str) -> bool:
    from rdtf_bench.spec.load import sheet_names

    return table in sheet_names()


def show(table: str, scale: str, *, format: str) -> None:
    from rdtf_bench.report.sheets import render
    from rdtf_bench.run.sheets import rows
    from rdtf_bench.spec.load import load_scale, load_sheet

    sheet = load_sheet(table)
    typer.echo(render(sheet, rows(sheet, load_scale(scale)), format=format))


def plan(table: str) -> None:
    typer.echo(f"{table}: nothing to measure, `show {table}` prints it")
