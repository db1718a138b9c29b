"""`rdtf-bench generate`: one animated sticker from a trained RDTF."""

import os
from pathlib import Path
from typing import Annotated

import typer

from rdtf_bench.commands.options import DEFAULT_STORE
from rdtf_bench.core.errors import InputError, ProtocolError

STORE_VARIABLE = "RDTF_BENCH_STORE"


def generate(
    prompt: Annotated[str, typer.Option("--prompt", help="What to make; may be empty where a frame is known.")] = "",
    image: Annotated[
        list[Path] | None,
        typer.Option("--image", help="A known frame; again for the next, or one animation for its frames."),
    ] = None,
    known: Annotated[
        str | None, typer.Option("--known", help="Which frames are given, as 10000000; default: the first ones.")
    ] = None,
    num_frames: Annotated[
        int | None, typer.Option("--num-frames", help="Frames of the sticker; default: all that the network makes.")
    ] = None,
    out: Annotated[Path, typer.Option("--out", dir_okay=False, help="The GIF to write.")] = Path("sticker.gif"),
    model: Annotated[
        Path | None,
        typer.Option(
            "--model", help="A folder that --save-model wrote, on the GPU where there is one; default: the table's."
        ),
    ] = None,
    table: Annotated[
        str | None, typer.Option("--table", help="Whose RDTF of the store to take; default: table1.")
    ] = None,
    scale: Annotated[str | None, typer.Option("--scale", help="At which scale it was trained; default: tiny.")] = None,
    data: Annotated[
        list[str] | None, typer.Option("--data", help="The data it was trained on.", metavar="NAME=DIR")
    ] = None,
    store: Annotated[
        Path | None, typer.Option("--store", envvar=STORE_VARIABLE, help="Where it was trained; default: runs.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Another seed, another sticker.")] = 0,
    num_steps: Annotated[
        int | None, typer.Option("--num-steps", min=1, help="DDIM steps; default: the model's own.")
    ] = None,
    duration_ms: Annotated[int, typer.Option("--duration-ms", min=20, help="How long each frame is shown.")] = 120,
    save_model: Annotated[
        Path | None, typer.Option("--save-model", help="Also write the model there, as a diffusers folder.")
    ] = None,
) -> None:
    """Make an animated sticker (a looping GIF) from a caption, known frames, or both."""
    from rdtf_bench.run import generate as generating
    from rdtf_bench.run.inputs.datasets import parse_data_options
    from rdtf_bench.run.protocols import load_table
    from rdtf_bench.spec.load import load_scale

    if model is not None:
        _require_none(table=table, scale=scale, data=data, store=store)
    mask = generating.read_mask(known)
    if not prompt.strip() and not image:
        raise InputError("neither a known frame nor a text was given: say with --prompt or --image what to make")
    if model is not None:
        pipeline = generating.from_folder(model)
    else:
        named = table or "table1"
        source = parse_data_options(data or []).get(load_table(named).dataset)
        pipeline = generating.from_store(named, load_scale(scale or "tiny"), source, store or DEFAULT_STORE)
    frames = generating.make(
        pipeline, prompt=prompt, images=image or [], known=mask, num_frames=num_frames, seed=seed, num_steps=num_steps
    )
    generating.write_gif(frames, out, duration_ms=duration_ms)
    if save_model is not None:
        pipeline.save_pretrained(save_model)
    typer.echo(out)


def _require_none(*, table: str | None, scale: str | None, data: list[str] | None, store: Path | None) -> None:
    """ProtocolError for what says which RDTF of a store to take; the environment may name a store all the same."""
    typed_store = store if str(store) != os.environ.get(STORE_VARIABLE) else None
    given = {"--table": table, "--scale": scale, "--data": data, "--store": typed_store}
    if flags := [flag for flag, value in given.items() if value]:
        raise ProtocolError(
            f"{', '.join(flags)} beside --model: a saved model is of no store. Leave out the one or the other"
        )
