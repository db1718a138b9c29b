"""`rdtf-bench selftest`: are the metrics those that they were when they were measured to be right?"""

from typing import Annotated

import typer

from rdtf_bench.commands.options import DEFAULT_STORE, ScaleName, StoreDir


def selftest(
    probes: Annotated[list[str] | None, typer.Argument(help="Probes by name; default: all.")] = None,
    scale: ScaleName = "tiny",
    store: StoreDir = DEFAULT_STORE,
) -> None:
    """Probe FVD, VQA and CLIP for the faults that are known to happen; exit status 7 where one is found.

    The store keeps the outcome of all probes, and marks tables of metrics that failed.
    """
    import time

    from rdtf_bench.core.errors import RegressionError
    from rdtf_bench.run.selftest import probe as probing
    from rdtf_bench.run.selftest import record as selftest_record
    from rdtf_bench.spec.load import load_scale

    began_s = time.monotonic()
    sizes = load_scale(scale)
    outcomes = probing.run(sizes, probes)
    for outcome in outcomes:
        typer.echo(f"{outcome.probe:20} {'passed' if outcome.passed else f'FAILED: {outcome.fault}'}")
    if not probes:
        selftest_record.save(store, sizes, {outcome.probe: outcome.fault for outcome in outcomes if not outcome.passed})
    failed = [outcome.probe for outcome in outcomes if not outcome.passed]
    typer.echo(f"{len(outcomes) - len(failed)} of {len(outcomes)} probes passed in {time.monotonic() - began_s:.0f} s")
    if failed:
        raise RegressionError(
            f"the metrics at scale {scale} are not right: {', '.join(failed)}. Trust no table of them."
        )
