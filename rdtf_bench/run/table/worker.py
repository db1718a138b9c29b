"""Runs one job in this process, for every engine. Imports torch only inside functions."""

from collections.abc import Mapping
from importlib import import_module

from rdtf_bench.core.errors import DeviceError
from rdtf_bench.run.progress import Sink
from rdtf_bench.run.table.context import Bench
from rdtf_bench.run.table.finished import diverged_at_step
from rdtf_bench.spec.plan import Cell


def call(function: str, bench: Bench, sink: Sink, job: str, arguments: Mapping[str, object]) -> None:
    """Run one function of run.table.work in this process. Raises DeviceError where the memory of the GPU is full.

    The jobs of a row whose training has diverged in this run do nothing.
    """
    import torch

    cell = arguments.get("cell")
    if isinstance(cell, Cell) and diverged_at_step(bench.store, cell.fit) is not None:
        return
    try:
        getattr(import_module("rdtf_bench.run.table.work"), function)(bench, sink, job, **arguments)
    except torch.OutOfMemoryError as fault:
        raise DeviceError(
            f"{job}: the memory of the GPU is full. What is finished is kept, and the same command continues. In scale "
            f"{bench.scale.name}, reduce training.micro_batch_size or sampling.batch_size, or set "
            f"training.gradient_checkpointing: true. PyTorch says: {str(fault).splitlines()[0]}"
        ) from fault
