"""`rdtf-bench show`: print the result of a protocol, without measuring."""

from rdtf_bench.commands.kinds import kind_for
from rdtf_bench.commands.options import (
    DEFAULT_STORE,
    Data,
    Format,
    HeldStore,
    Methods,
    Pipelines,
    Results,
    Seeds,
    Table,
    TableScale,
    With,
)
from rdtf_bench.commands.selection import Selection


def show(
    table: Table,
    scale: TableScale = None,
    data: Data = None,
    store: HeldStore = DEFAULT_STORE,
    with_clips: With = None,
    method: Methods = None,
    pipeline: Pipelines = None,
    seeds: Seeds = None,
    results: Results = None,
    format: Format = "text",
) -> None:
    """Print a protocol's result beside the paper's numbers, from the store or else from the published results."""
    chosen = Selection(
        protocol=table,
        scale_name=scale,
        data=data,
        store=store,
        clips=with_clips,
        methods=method,
        pipelines=pipeline,
        seeds=seeds,
        results_dir=results,
    )
    kind_for(chosen).show(chosen, format=format)
