"""`rdtf-bench selftest`: are the metrics those that they were when they were measured to be right?"""

from typing import Annotated

import typer

from rdtf_bench.commands.options import ScaleName


def selftest(
    probes: Annotated[list[str] | None, typer.Argument(help="Probes by name; default: all.")] = None,
    scale: ScaleName = "tiny",
) -> None:
    """Probe FVD, VQA and CLIP for the faults that are known to happen; exit status 7 where one is found."""
    import time

    from rdtf_bench.core.errors import RegressionError
    from rdtf_bench.run import selftest as probing
    from rdtf_bench.spec.load import load_scale

    began_s = time.monotonic()
    outcomes = probing.run(load_scale(scale), probes)
    for outcome in outcomes:
        typer.echo(f"{outcome.probe:20} {'passed' if outcome.passed else f'FAILED: {outcome.fault}'}")
    failed = [outcome.probe for outcome in outcomes if not outcome.passed]
    typer.echo(f"{len(outcomes) - len(failed)} of {len(outcomes)} probes passed in {time.monotonic() - began_s:.0f} s")
    if failed:
        raise RegressionError(
            f"the metrics at scale {scale} are not right: {', '.join(failed)}. Trust no table of them."
        )
