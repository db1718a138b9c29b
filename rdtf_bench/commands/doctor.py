"""`rdtf-bench doctor`: say what can run on this machine."""

import typer

from rdtf_bench.commands.options import DEFAULT_SCALE, DEFAULT_STORE, Format, HeldStore


def doctor(store: HeldStore = DEFAULT_STORE, format: Format = "text") -> None:
    """Check versions, devices, memory, disk, weights and the store, and say which scales can run here.

    Exit status 0 if the scale tiny can run, else 7.
    """
    from rdtf_bench.core.errors import CheckError
    from rdtf_bench.report.doctor import render
    from rdtf_bench.report.layouts import require_format
    from rdtf_bench.run.doctor import examine

    require_format(format)
    found = examine(store)
    typer.echo(render(found, format=format))
    if not found.can_run(DEFAULT_SCALE):
        raise CheckError(f"the scale {DEFAULT_SCALE} cannot run here. What is missing and what to do stands above.")
