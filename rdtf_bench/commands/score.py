"""`rdtf-bench score`: two folders of clips, no protocol and no store."""

from pathlib import Path
from typing import Annotated

import typer


def score(
    real: Annotated[
        Path, typer.Option("--real", help="Real clips: a folder of GIF, WebP, APNG, MP4 or frame folders.")
    ],
    fake: Annotated[Path, typer.Option("--fake", help="Generated clips: a folder of the same kinds.")],
    captions: Annotated[
        Path | None, typer.Option("--captions", help="Captions of the generated clips: .jsonl or .csv, file_name,text.")
    ] = None,
    metrics: Annotated[
        str | None, typer.Option("--metrics", help="fvd, vqa, clip, divided by commas; default: all that apply.")
    ] = None,
    num_frames: Annotated[
        int | None, typer.Option("--num-frames", min=2, help="Take this many frames of every clip, at equal intervals.")
    ] = None,
    size: Annotated[
        int | None, typer.Option("--size", min=8, help="Make every frame a square of this many pixels.")
    ] = None,
    resamples: Annotated[
        int | None, typer.Option("--resamples", min=2, help="Tell FVD's deviation over this many bootstrap draws too.")
    ] = None,
    scale: Annotated[
        str, typer.Option("--scale", help="Whose networks to look through: a file in protocols/scales/.")
    ] = "tiny",
    json: Annotated[Path | None, typer.Option("--json", help="Write the scores there as well.")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Compare two folders of clips: FVD, VQA and CLIP, each with its 95 % interval, n and yardstick."""
    from rich.console import Console

    from rdtf_bench.report import comparison
    from rdtf_bench.run.compare import compare
    from rdtf_bench.run.progress import Display
    from rdtf_bench.spec.load import load_scale

    if json is not None:
        comparison.require_place(json)
    with Display(Console(stderr=True), {"score": 1.0}, quiet=quiet) as display:
        found = compare(
            load_scale(scale),
            fake=fake,
            real=real,
            captions=captions,
            metrics=[name.strip() for name in metrics.split(",")] if metrics is not None else None,
            num_frames=num_frames,
            size_px=size,
            resamples=resamples or 0,
            sink=display,
        )
    typer.echo(comparison.text(found))
    if json is not None:
        comparison.write(found, json)
