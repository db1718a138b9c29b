"""`rdtf-bench arena`: have people rank the clips of a table, and count their votes."""

from pathlib import Path
from typing import Annotated

import typer

from rdtf_bench.commands.options import (
    DEFAULT_STORE,
    Data,
    Format,
    Pipelines,
    StoreDir,
    TableScale,
    With,
)
from rdtf_bench.commands.selection import Selection

app = typer.Typer(no_args_is_help=True, help="Have people rank the clips of a table blind, and count their votes.")


@app.command(epilog="Example: rdtf-bench arena make table1 --clips 20 --out arena.html")
def make(
    table: Annotated[
        str,
        typer.Argument(metavar="PROTOCOL", help="A table whose rows are ranked, or an arena such as table5."),
    ],
    out: Annotated[Path, typer.Option("--out", help="Write the page for raters into this HTML file.")],
    scale: TableScale = None,
    data: Data = None,
    store: StoreDir = DEFAULT_STORE,
    with_clips: With = None,
    pipeline: Pipelines = None,
    clips: Annotated[
        int | None, typer.Option("--clips", min=1, help="Show this many test clips; default: the arena's.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Draw clips and places by this random seed.")] = 0,
) -> None:
    """Write one HTML file on which a person ranks the clips of a table's rows, without the names of the rows.

    The page shows the prompt and the given frames, and asks for one ranking for each clip and criterion. It works
    without a network, keeps answers in the browser and exports them as a JSON file. The store keeps which row made
    which clip, and the page does not hold it.
    """
    from rdtf_bench.commands.kinds.arena import planned_of
    from rdtf_bench.core.errors import StoreError
    from rdtf_bench.report.page import arena as arena_page
    from rdtf_bench.run.arena import make as making
    from rdtf_bench.run.arena.study import keep_arena

    chosen = Selection(protocol=table, scale_name=scale, data=data, store=store, clips=with_clips, pipelines=pipeline)
    planned = planned_of(chosen)
    material = making.draw(planned, num_clips=clips or planned.spec.num_clips, seed=seed)
    try:
        arena_page.write(material, out)
    except OSError as fault:
        raise StoreError(f"{out}: cannot be written: {fault.strerror}. Name a file: --out arena.html") from None
    keep_arena(material.arena, store)
    asked = len(material.questions)
    typer.echo(
        f"{out}: {asked} rankings of {len(material.arena.rows)} rows for {len(material.arena.clips)} clips, "
        f"{out.stat().st_size / 1e6:.1f} MB. Give it to raters, and count the files that they send back: "
        f"{planned.commands_of_votes[1]}"
    )


@app.command(epilog="Example: rdtf-bench arena tally votes-*.json")
def tally(
    files: Annotated[list[Path], typer.Argument(metavar="FILES", help="The files of votes, one for each rater.")],
    store: StoreDir = DEFAULT_STORE,
    arena: Annotated[
        Path | None,
        typer.Option(
            "--arena", metavar="FILE", help="The arena's file, arenas/ID/arena.json of the store in which it was made."
        ),
    ] = None,
    format: Format = "text",
) -> None:
    """Print average user rankings with intervals, strengths and the agreement of the raters.

    Votes are refused if they belong to another arena, are incomplete or inconsistent, or if two files have the same
    rater. The store keeps the votes of the last tally, which `rdtf-bench run table5` prints beside the paper's numbers.
    """
    from rdtf_bench.core.store import require_root
    from rdtf_bench.report.arena import render
    from rdtf_bench.report.layouts import require_format
    from rdtf_bench.run.arena.study import Arena, keep_arena, keep_votes, read
    from rdtf_bench.run.arena.votes import count_in

    require_format(format)
    study = count_in(files, arena=read(Arena, arena) if arena else None, root=store)
    require_root(store)
    typer.echo(render(study, format=format))
    keep_arena(study.arena, store)
    keep_votes(study, store)
