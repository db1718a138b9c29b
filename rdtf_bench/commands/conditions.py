"""`rdtf-bench conditions`: what a table's methods are given, for a model that is run elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from rdtf_bench.commands.options import DEFAULT_STORE, Data, Quiet, ScaleName, SkipBroken, StoreDir, Table, source_of

app = typer.Typer(no_args_is_help=True, help="What a table's methods are given: for a model that is run elsewhere.")


@app.callback()
def conditions() -> None:
    """Keeps `export` a command of its own: a Typer app of one command would take its place."""


@app.command()
def export(
    table: Table,
    out: Annotated[Path, typer.Option("--out", help="An empty or new folder.")],
    scale: ScaleName = "tiny",
    data: Data = None,
    store: StoreDir = DEFAULT_STORE,
    skip_broken: SkipBroken = False,
    quiet: Quiet = False,
) -> None:
    """Write the ids, captions and known frames of the test clips: metadata.jsonl and PNG files."""
    from rich.console import Console

    from rdtf_bench.run.progress import Display, Report
    from rdtf_bench.run.protocols import load_table
    from rdtf_bench.run.table import conditions
    from rdtf_bench.spec.load import load_scale

    spec, sizes = load_table(table), load_scale(scale)
    with Display(Console(stderr=True), {"conditions": 1.0}, quiet=quiet) as display:
        count = conditions.export(
            spec,
            sizes,
            source=source_of(data, spec.dataset),
            store=store,
            skip_broken=skip_broken,
            out=out,
            report=Report(display, "conditions", "writing"),
        )
    shape = sizes.clip
    typer.echo(
        f"{count} clips in {out / conditions.METADATA}. Of each make {shape.num_frames} frames of "
        f"{shape.size_px}x{shape.size_px}: a folder of frames DIR/<id>/, or DIR/<id>.png (APNG), .webp, .gif or .mp4. "
        f"Score them with: rdtf-bench run {table} --with mine=DIR"
    )
