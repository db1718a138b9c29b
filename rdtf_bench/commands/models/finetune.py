"""`rdtf-bench finetune`: tune an adapter for I2VGen-XL on a folder of stickers."""

from pathlib import Path
from typing import Annotated

import typer

from rdtf_bench.commands.options import MethodOptions, Quiet, SkipBroken, method_options


def finetune(
    method: Annotated[str, typer.Argument(help="i2v_adapter, simda or customize_a_video.")],
    data: Annotated[
        Path, typer.Option("--data", help="Train on this folder of animated stickers, with captions as for `run`.")
    ],
    base: Annotated[
        str, typer.Option("--base", help="Adapt this I2VGen-XL: a folder in the layout of the release, or a hub id.")
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out", help="Write adapter, samples and checkpoints here; the same command continues from them."
        ),
    ],
    task: Annotated[
        str, typer.Option("--task", help="Train for this task: it2v, i2v, interpolation or prediction.")
    ] = "it2v",
    num_steps: Annotated[int, typer.Option("--num-steps", min=1, help="Train for this many optimiser steps.")] = 2000,
    batch_size: Annotated[int, typer.Option("--batch-size", min=1, help="Clips per step.")] = 1,
    learning_rate: Annotated[
        float | None,
        typer.Option("--learning-rate", help="Learning rate; default: that of the method's own paper or code."),
    ] = None,
    size: Annotated[int, typer.Option("--size", min=16, help="Train on squares of this many pixels.")] = 256,
    num_frames: Annotated[int, typer.Option("--num-frames", min=2, help="Frames per clip.")] = 8,
    sample_every: Annotated[
        int, typer.Option("--sample-every", min=1, help="Write samples after every this many steps.")
    ] = 250,
    checkpoint_every: Annotated[
        int, typer.Option("--checkpoint-every", min=1, help="Write a checkpoint after every this many steps.")
    ] = 100,
    option: MethodOptions = None,
    precision: Annotated[str, typer.Option("--precision", help="Precision of the frozen base: fp32 or bf16.")] = "fp32",
    gradient_checkpointing: Annotated[
        bool,
        typer.Option("--gradient-checkpointing", help="Use less memory and a third more time, for the same numbers."),
    ] = False,
    device: Annotated[
        str | None, typer.Option("--device", help="Train on cpu or cuda; default: a GPU if there is one.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Random seed of weights, order and noise.")] = 0,
    skip_broken: SkipBroken = False,
    tracking_uri: Annotated[
        str | None,
        typer.Option(
            "--tracking-uri", help="Log to this MLflow server; default: MLFLOW_TRACKING_URI, else a database in --out."
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Tune I2VGen-XL on your own stickers. Resumes where it was stopped, writes samples, logs to MLflow."""
    from rich.console import Console

    from rdtf_bench.report import tuning
    from rdtf_bench.run import finetune as tuner
    from rdtf_bench.run import process
    from rdtf_bench.run.progress import Display

    settings = tuner.settings(
        method,
        options={"precision": precision, **method_options(option)},
        base=base,
        data=data,
        size_px=size,
        task=task,
        num_frames=num_frames,
        num_steps=num_steps,
        batch_size=batch_size,
        learning_rate=learning_rate,
        checkpoint_every=checkpoint_every,
        seed=seed,
    )
    process.keep_memory()
    process.be_quiet()
    console = Console(stderr=True)
    with (
        tuning.Journal(out, tracking_uri=tracking_uri) as journal,
        Display(console, {tuner.JOB: 1.0}, quiet=quiet) as display,
    ):
        finished = tuner.finetune(
            settings,
            out,
            device=device,
            gradient_checkpointing=gradient_checkpointing,
            skip_broken=skip_broken,
            sample_every=sample_every,
            sink=display,
            on_step=journal.step,
            on_samples=journal.samples,
        )
    typer.echo(tuning.summary(settings, finished))
