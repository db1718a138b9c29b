"""The protocol that every engine implements. Imports no torch."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from rich.console import Console

from rdtf_bench.core.leases import Leases
from rdtf_bench.run.table.context import Bench
from rdtf_bench.run.table.schedule import Job


@runtime_checkable
class Engine(Protocol):
    """Runs the jobs of one table, each after the jobs that it waits for."""

    def run(self, jobs: Sequence[Job], bench: Bench, console: Console, *, leases: Leases, quiet: bool) -> float:
        """Run every job and return the peak memory in GiB, summed over this process and all workers.

        The lease of a job is held while it runs; a job whose result another run is making waits for that. Every job has
        left its result in the store when this returns. Raises ProtocolError before the first job where
        the options of a row are wrong, and otherwise whatever a job raises.
        """
        ...
