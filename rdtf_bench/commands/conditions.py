"""`rdtf-bench conditions`: export the captions and known frames of a table, for a model that runs elsewhere."""

from pathlib import Path
from typing import Annotated

import typer

from rdtf_bench.commands.options import (
    DEFAULT_STORE,
    Data,
    Quiet,
    SkipBroken,
    StoreDir,
    Table,
    TableScale,
)
from rdtf_bench.commands.selection import Selection

app = typer.Typer(
    no_args_is_help=True, help="Export a table's captions and known frames, for a model that runs elsewhere."
)


@app.callback()
def conditions() -> None:
    """Keep `export` a command of its own: a Typer app with one command would take its place."""


@app.command(epilog="Example: rdtf-bench conditions export table1 --out conditions")
def export(
    table: Table,
    out: Annotated[Path, typer.Option("--out", help="Write into this folder, which must be empty or new.")],
    scale: TableScale = None,
    data: Data = None,
    store: StoreDir = DEFAULT_STORE,
    skip_broken: SkipBroken = False,
    quiet: Quiet = False,
) -> None:
    """Write the ids, captions and known frames of the test clips, as metadata.jsonl and PNG files."""
    from rich.console import Console

    from rdtf_bench.core.errors import printable
    from rdtf_bench.report.table import footer
    from rdtf_bench.run.progress import Display, Report
    from rdtf_bench.run.protocols import load_table
    from rdtf_bench.run.table import conditions
    from rdtf_bench.spec.command import command

    chosen = Selection(protocol=table, scale_name=scale, data=data, store=store)
    spec, at_scale = load_table(table), chosen.scale
    with Display(Console(stderr=True), {"conditions": 1.0}, quiet=quiet) as display:
        exported = conditions.export(
            spec,
            at_scale,
            source=chosen.source_of(spec.dataset),
            store=store,
            skip_broken=skip_broken,
            out=out,
            report=Report(display, "conditions", "writing"),
        )
    shape, count, place = at_scale.clip, len(exported.clips["test"]), printable(str(out / conditions.METADATA))
    run = command("run", spec, at_scale, [*chosen.options, "--with", "mine=DIR"])
    typer.echo(
        f"{count} clips in {place}. For each clip make {shape.num_frames} frames of "
        f"{shape.size_px}x{shape.size_px} pixels, as a folder of frames DIR/<id>/ or as DIR/<id>.png (APNG), .webp, "
        f".gif or .mp4. Score them with: {run}\n{footer.data(spec.dataset, exported.facts)}"
    )
