"""`rdtf-bench data`: datasets that can be fetched."""

from pathlib import Path
from typing import Annotated

import typer

from rdtf_bench.commands.options import DEFAULT_STORE, StoreDir

app = typer.Typer(no_args_is_help=True, help="Fetch datasets.")


@app.callback()
def data() -> None:
    """Keep `fetch` a command of its own: a Typer app with one command would take its place."""


@app.command(epilog="Example: rdtf-bench data fetch fluent")
def fetch(
    name: Annotated[str, typer.Argument(help="The dataset: fluent.")],
    store: StoreDir = DEFAULT_STORE,
    archives: Annotated[
        Path | None, typer.Option(help="Read the packages' archives from this folder, where npm is not at hand.")
    ] = None,
) -> None:
    """Download a set of real stickers into the store, as an ordinary data folder."""
    from rdtf_bench.core.errors import unknown_name
    from rdtf_bench.data import fluent

    if name != fluent.NAME:
        raise unknown_name("dataset to fetch", name, [fluent.NAME])
    typer.echo(fluent.fetch_into(store, archives=archives, on_progress=_say))


def _say(line: str) -> None:
    typer.echo(line, err=True)
