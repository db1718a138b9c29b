"""`rdtf-bench generate`: one animated sticker from a trained RDTF."""

from pathlib import Path
from typing import Annotated

import typer

from rdtf_bench.core.errors import InputError


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
        Path | None, typer.Option("--model", help="A folder that --save-model wrote; default: the table's RDTF.")
    ] = None,
    table: Annotated[str, typer.Option("--table", help="Whose RDTF of the store to take.")] = "table1",
    scale: Annotated[str, typer.Option("--scale", help="At which scale it was trained.")] = "tiny",
    data: Annotated[
        list[str] | None, typer.Option("--data", help="The data it was trained on.", metavar="NAME=DIR")
    ] = None,
    store: Annotated[Path, typer.Option("--store", envvar="RDTF_BENCH_STORE", help="Where it was trained.")] = Path(
        "runs"
    ),
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
    from rdtf_bench.run.datasets import parse_data_options
    from rdtf_bench.run.protocols import load_table
    from rdtf_bench.spec.load import load_scale

    mask = generating.read_mask(known)
    if not prompt.strip() and not image:
        raise InputError("neither a known frame nor a text was given: say with --prompt or --image what to make")
    if model is not None:
        pipeline = generating.from_folder(model)
    else:
        source = parse_data_options(data or []).get(load_table(table).dataset)
        pipeline = generating.from_store(table, load_scale(scale), source, store)
    frames = generating.make(
        pipeline, prompt=prompt, images=image or [], known=mask, num_frames=num_frames, seed=seed, num_steps=num_steps
    )
    generating.write_gif(frames, out, duration_ms=duration_ms)
    if save_model is not None:
        pipeline.save_pretrained(save_model)
    typer.echo(out)
