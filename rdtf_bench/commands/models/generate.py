"""`rdtf-bench generate`: make one animated sticker with a trained RDTF."""

import os
from pathlib import Path
from typing import Annotated

import typer

from rdtf_bench.commands.options import DEFAULT_STORE
from rdtf_bench.commands.selection import Selection
from rdtf_bench.core.errors import InputError, ProtocolError

STORE_VARIABLE = "RDTF_BENCH_STORE"


def generate(
    prompt: Annotated[
        str, typer.Option("--prompt", help="Describe the sticker; may be empty where a frame is given.")
    ] = "",
    image: Annotated[
        list[Path] | None,
        typer.Option(
            "--image", help="Give a known frame. Repeat it for the next, or give one animation with all known frames."
        ),
    ] = None,
    known: Annotated[
        str | None, typer.Option("--known", help="Say which frames are given, as 10000000; default: the first ones.")
    ] = None,
    num_frames: Annotated[
        int | None, typer.Option("--num-frames", help="Make this many frames; default: all that the network makes.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", dir_okay=False, help="Write this GIF.")] = Path("sticker.gif"),
    model: Annotated[
        Path | None,
        typer.Option(
            "--model",
            help="Load a folder that --save-model wrote, onto the GPU where there is one; default: the table's RDTF.",
        ),
    ] = None,
    table: Annotated[
        str | None, typer.Option("--table", help="Take the RDTF that this table trained; default: table1.")
    ] = None,
    scale: Annotated[
        str | None,
        typer.Option("--scale", metavar="NAME|FILE", help="Take the RDTF of this scale; default: the table's."),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option("--data", metavar="NAME=DIR", help="Take the RDTF that was trained on this data."),
    ] = None,
    store: Annotated[
        Path | None,
        typer.Option("--store", envvar=STORE_VARIABLE, help="Take the RDTF from this store; default: runs."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Set the random seed; another seed makes another sticker.")] = 0,
    num_steps: Annotated[
        int | None,
        typer.Option("--num-steps", min=1, help="Sample with this many DDIM steps; default: the model's own."),
    ] = None,
    duration_ms: Annotated[
        int, typer.Option("--duration-ms", min=20, help="Show each frame for this many milliseconds.")
    ] = 120,
    save_model: Annotated[
        Path | None, typer.Option("--save-model", help="Also write the model into this folder, in diffusers' layout.")
    ] = None,
) -> None:
    """Make an animated sticker, as a looping GIF, from a caption, known frames or both."""
    from rdtf_bench.run import generate as generating
    from rdtf_bench.run.protocols import load_table

    if model is not None:
        _require_none(table=table, scale=scale, data=data, store=store)
    mask = generating.read_mask(known)
    if not prompt.strip() and not image:
        raise InputError("neither a known frame nor a text was given: say with --prompt or --image what to make")
    if model is not None:
        pipeline = generating.from_folder(model)
    else:
        chosen = Selection(protocol=table or "table1", scale_name=scale, data=data, store=store or DEFAULT_STORE)
        source = chosen.source_of(load_table(chosen.protocol).dataset)
        pipeline = generating.from_store(chosen.protocol, chosen.scale, source, chosen.store)
    frames = generating.make(
        pipeline, prompt=prompt, images=image or [], known=mask, num_frames=num_frames, seed=seed, num_steps=num_steps
    )
    generating.write_gif(frames, out, duration_ms=duration_ms)
    if save_model is not None:
        pipeline.save_pretrained(save_model)
    typer.echo(out)


def _require_none(*, table: str | None, scale: str | None, data: list[str] | None, store: Path | None) -> None:
    """Raise ProtocolError for options that choose an RDTF of a store. The environment may name a store all the same."""
    typed_store = store if str(store) != os.environ.get(STORE_VARIABLE) else None
    given = {"--table": table, "--scale": scale, "--data": data, "--store": typed_store}
    if flags := [flag for flag, value in given.items() if value]:
        raise ProtocolError(
            f"{', '.join(flags)} beside --model: a saved model belongs to no store. Leave out one or the other."
        )
