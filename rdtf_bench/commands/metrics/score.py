"""`rdtf-bench score`: compare two folders of clips, without a protocol or a store."""

from pathlib import Path
from typing import Annotated

import typer

from rdtf_bench.commands.options import DEFAULT_SCALE, Quiet, SkipBroken
from rdtf_bench.core.dataset import FramesBy


def score(
    real: Annotated[
        Path, typer.Option("--real", help="Folder of real clips: GIF, WebP, APNG, MP4, or folders of frames.")
    ],
    fake: Annotated[Path, typer.Option("--fake", help="Folder of generated clips, of the same kinds.")],
    captions: Annotated[
        Path | None,
        typer.Option(
            "--captions", help="Read the captions of the generated clips here: .jsonl or .csv with file_name and text."
        ),
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(
            "--metrics", help="Compute only these: fvd, vqa, clip, separated by commas; default: all that apply."
        ),
    ] = None,
    num_frames: Annotated[
        int | None, typer.Option("--num-frames", min=2, help="Take this many frames of every clip, at equal intervals.")
    ] = None,
    by: Annotated[
        FramesBy,
        typer.Option("--by", help="Choose the frames at equal intervals of their numbers (index) or of time (time)."),
    ] = "index",
    size: Annotated[
        int | None, typer.Option("--size", min=8, help="Resize every frame to a square of this many pixels.")
    ] = None,
    resamples: Annotated[
        int | None,
        typer.Option(
            "--resamples", min=2, help="Also print the standard deviation of FVD over this many bootstrap draws."
        ),
    ] = None,
    scale: Annotated[
        str | None,
        typer.Option(
            "--scale",
            metavar="NAME|FILE",
            help="Look through the networks of this scale; default: the official ones that are present, else those of "
            f"{DEFAULT_SCALE}.",
        ),
    ] = None,
    skip_broken: SkipBroken = False,
    json: Annotated[Path | None, typer.Option("--json", help="Also write the scores to this file.")] = None,
    quiet: Quiet = False,
) -> None:
    """Compare two folders of clips by FVD, VQA and CLIP, each with its 95 % confidence interval, n and yardstick."""
    from rich.console import Console

    from rdtf_bench.core.store import require_place
    from rdtf_bench.report import comparison
    from rdtf_bench.run import process, yardsticks
    from rdtf_bench.run.compare import compare, metric_names
    from rdtf_bench.run.progress import Display
    from rdtf_bench.run.protocols import load_scale

    if json is not None:
        require_place(json, "--json FILE")
    chosen = load_scale(scale) if scale else yardsticks.with_present(load_scale(DEFAULT_SCALE), metric_names())
    process.keep_memory()
    with Display(Console(stderr=True), {"score": 1.0}, quiet=quiet) as display:
        found = compare(
            chosen,
            fake=fake,
            real=real,
            captions=captions,
            metrics=[name.strip() for name in metrics.split(",")] if metrics is not None else None,
            num_frames=num_frames,
            size_px=size,
            frames_by=by,
            resamples=resamples or 0,
            skip_broken=skip_broken,
            sink=display,
        )
    typer.echo(comparison.text(found))
    if json is not None:
        comparison.write(found, json)
