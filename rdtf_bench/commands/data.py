"""`rdtf-bench data`: fetch datasets, and inspect data folders."""

from pathlib import Path
from typing import Annotated

import typer

from rdtf_bench.commands.options import DEFAULT_STORE, Quiet, StoreDir

app = typer.Typer(no_args_is_help=True, help="Fetch and inspect datasets.")


@app.command(epilog="Example: rdtf-bench data fetch fluent")
def fetch(
    name: Annotated[str, typer.Argument(help="The dataset: fluent or ophnet.")],
    store: StoreDir = DEFAULT_STORE,
    archives: Annotated[
        Path | None, typer.Option(help="Read the archives from this folder, where they cannot be downloaded.")
    ] = None,
    part: Annotated[
        str | None, typer.Option(help="What to fetch of ophnet: all, trimmed_operation or trimmed_phase.")
    ] = None,
) -> None:
    """Download a dataset into the store, as an ordinary data folder: Fluent emoji (npm) or OphNet2024 (the Hub)."""
    from rdtf_bench.core.errors import InputError, unknown_name
    from rdtf_bench.data import fluent
    from rdtf_bench.data.sources import ophnet

    if name == ophnet.NAME:
        typer.echo(ophnet.fetch_into(store, part=part, archives=archives, on_progress=_say))
    elif part is not None:
        raise InputError(f"--part {part}: {name} has no parts. Leave the option out; {ophnet.NAME} has parts.")
    elif name == fluent.NAME:
        typer.echo(fluent.fetch_into(store, archives=archives, on_progress=_say))
    else:
        raise unknown_name("dataset to fetch", name, [fluent.NAME, ophnet.NAME])


@app.command(epilog="Example: rdtf-bench data inspect asg=my_stickers --out report")
def inspect(
    data: Annotated[
        str,
        typer.Argument(metavar="NAME[=DIR]", help="A dataset (asg, nuscenes, ophnet), with the folder that holds it."),
    ],
    out: Annotated[Path | None, typer.Option(help="Write inspect.json and index.html into this folder.")] = None,
    store: StoreDir = DEFAULT_STORE,
    quiet: Quiet = False,
) -> None:
    """Print what a data folder holds, which files are broken, and what leaks between its splits.

    Without a folder, the built-in data is inspected. Exit status: 0 if the data is sound, 4 if files are broken or if
    clips that belong together stand in different splits (same bytes, near copies, same caption, same video or scene).
    """
    from rich.console import Console

    from rdtf_bench.report.inspection import render
    from rdtf_bench.run import inspection
    from rdtf_bench.run.progress import Display, Report

    name, source = inspection.source_of(data)
    with Display(Console(stderr=True), {name: 1.0}, quiet=quiet) as display:
        found = inspection.inspect(name, source, store=store, on_progress=Report(display, name, "reading").advance)
    typer.echo(render(found))
    if out:
        from rdtf_bench.report.page import inspection as page

        for path in page.write(found, out):
            _say(str(path))
    found.require_sound()


def _say(line: str) -> None:
    typer.echo(line, err=True)
