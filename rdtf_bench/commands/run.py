"""`rdtf-bench run` and `rdtf-bench ablate`: measure a protocol and print its result."""

from typing import Annotated

import typer

from rdtf_bench.commands.kinds import kind_for
from rdtf_bench.commands.options import (
    DEFAULT_STORE,
    Address,
    Data,
    EngineName,
    Methods,
    OnlyRows,
    Pipelines,
    Processes,
    Quiet,
    Retrain,
    Seeds,
    ShardWeights,
    SkipBroken,
    StoreDir,
    Table,
    TableScale,
    Uri,
    With,
    Workers,
)
from rdtf_bench.commands.selection import Selection


def run(
    table: Table,
    scale: TableScale = None,
    data: Data = None,
    store: StoreDir = DEFAULT_STORE,
    tracking_uri: Uri = None,
    with_clips: With = None,
    method: Methods = None,
    pipeline: Pipelines = None,
    row: OnlyRows = None,
    seeds: Seeds = None,
    skip_broken: SkipBroken = False,
    retrain: Retrain = False,
    processes: Processes = 1,
    shard_weights: ShardWeights = False,
    workers: Workers = None,
    engine: EngineName = "local",
    address: Address = None,
    quiet: Quiet = False,
) -> None:
    """Measure the rows of a protocol that the store does not hold yet, log them to MLflow and print the result."""
    chosen = Selection(
        protocol=table,
        scale_name=scale,
        data=data,
        store=store,
        clips=with_clips,
        methods=method,
        pipelines=pipeline,
        rows=row,
        seeds=seeds,
        skip_broken=skip_broken,
        retrain=retrain,
        processes=processes,
        shard_weights=shard_weights,
        workers=workers,
        engine=engine,
        address=address,
    )
    kind_for(chosen).run(chosen, tracking_uri=tracking_uri, quiet=quiet)


def ablate(
    name: Annotated[
        str,
        typer.Argument(help="What follows `ablate-` in `rdtf-bench list`, such as dcl or sampler."),
    ],
    scale: TableScale = None,
    data: Data = None,
    store: StoreDir = DEFAULT_STORE,
    tracking_uri: Uri = None,
    row: OnlyRows = None,
    seeds: Seeds = None,
    skip_broken: SkipBroken = False,
    retrain: Retrain = False,
    processes: Processes = 1,
    shard_weights: ShardWeights = False,
    workers: Workers = None,
    engine: EngineName = "local",
    address: Address = None,
    quiet: Quiet = False,
) -> None:
    """Run an ablation of RDTF or of the baselines: `ablate dcl` is short for `run ablate-dcl`."""
    from rdtf_bench.run.protocols import ablation

    run(
        ablation(name),
        scale,
        data,
        store,
        tracking_uri,
        row=row,
        seeds=seeds,
        skip_broken=skip_broken,
        retrain=retrain,
        processes=processes,
        shard_weights=shard_weights,
        workers=workers,
        engine=engine,
        address=address,
        quiet=quiet,
    )
