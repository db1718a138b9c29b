"""`rdtf-bench plan`: list what is left to do."""

from rdtf_bench.commands.kinds import kind_for
from rdtf_bench.commands.options import (
    DEFAULT_STORE,
    Data,
    HeldStore,
    Memory,
    Methods,
    Pipelines,
    Probe,
    Processes,
    Seeds,
    ShardWeights,
    Table,
    TableScale,
    With,
)
from rdtf_bench.commands.selection import Selection


def plan(
    table: Table,
    scale: TableScale = None,
    data: Data = None,
    store: HeldStore = DEFAULT_STORE,
    with_clips: With = None,
    method: Methods = None,
    pipeline: Pipelines = None,
    seeds: Seeds = None,
    memory: Memory = False,
    processes: Processes = 1,
    shard_weights: ShardWeights = False,
    probe: Probe = False,
) -> None:
    """List the rows of a protocol, what is left to do and how long it should take."""
    chosen = Selection(
        protocol=table,
        scale_name=scale,
        data=data,
        store=store,
        clips=with_clips,
        methods=method,
        pipelines=pipeline,
        seeds=seeds,
        memory=memory,
        processes=processes,
        shard_weights=shard_weights,
        probe=probe,
    )
    kind_for(chosen).plan(chosen)
