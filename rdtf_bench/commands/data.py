"""`rdtf-bench data`: fetch datasets, inspect data folders, and prepare training clips."""

from pathlib import Path
from typing import Annotated

import typer

from rdtf_bench.commands.options import DEFAULT_SCALE, DEFAULT_STORE, Quiet, ScaleName, SkipBroken, StoreDir

app = typer.Typer(no_args_is_help=True, help="Fetch, inspect and prepare datasets.")


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


@app.command(epilog="Example: rdtf-bench data prepare asg=my_stickers --scale gpu")
def prepare(
    data: Annotated[
        str,
        typer.Argument(metavar="NAME[=DIR]", help="A dataset (asg, nuscenes, ophnet), with the folder that holds it."),
    ],
    scale: ScaleName = DEFAULT_SCALE,
    store: StoreDir = DEFAULT_STORE,
    skip_broken: SkipBroken = False,
    quiet: Quiet = False,
) -> None:
    """Prepare the training clips of a dataset ahead of a run: decode and encode them into the store.

    `run` with the same data, scale and store then starts with training. An interrupted call is continued by repeating
    it: finished shards are kept. Exit status 6 says that the disk has too little space.
    """
    from rich.console import Console

    from rdtf_bench.core.leases import Leases
    from rdtf_bench.report.table.plans import size_text
    from rdtf_bench.run import inspection
    from rdtf_bench.run.engines.local import LocalEngine
    from rdtf_bench.run.protocols import load_scale
    from rdtf_bench.run.table import prepare as preparing

    name, source = inspection.source_of(data)
    with Leases(store.resolve()) as leases:
        found = preparing.preparation(name, source, load_scale(scale), store, skip_broken=skip_broken)
        training, size = found.bench.training, size_text(found.num_bytes)
        typer.echo(
            f"{training.num_clips:,} training clips at scale {scale}: {len(found.jobs):,} of {training.num_shards:,} "
            f"shards to prepare, at most {size} in {found.bench.store.root}"
        )
        preparing.prepare(found, Console(stderr=True), leases=leases, quiet=quiet, engine=LocalEngine())
    typer.echo(f"all {training.num_shards:,} shards are prepared")


def _say(line: str) -> None:
    typer.echo(line, err=True)
