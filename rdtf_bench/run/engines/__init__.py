"""Engines run the jobs of a table in the order that run.table.schedule states.

May import progress, environment, process and the torch-free modules of run.table (context, schedule, worker). Hands out
the peak memory; results go into the store. A new engine implements the protocol `Engine` and is named here.
"""

from rdtf_bench.core.errors import ProtocolError, unknown_name
from rdtf_bench.run.engines.engine import Engine

NAMES = ("local", "ray")


def engine_named(name: str, address: str | None = None) -> Engine:
    """Return an engine by name; `address` is that of a Ray cluster."""
    if name == "ray":
        from rdtf_bench.run.engines.ray import RayEngine

        return RayEngine(address)
    if name != "local":
        raise unknown_name("engine", name, NAMES)
    if address is not None:
        raise ProtocolError(f"--address {address}: the local engine has no address. Give --engine ray as well.")
    from rdtf_bench.run.engines.local import LocalEngine

    return LocalEngine()
