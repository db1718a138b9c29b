"""`rdtf-bench selftest`: probe the metrics for known faults."""

from typing import Annotated

import typer

from rdtf_bench.commands.options import DEFAULT_SCALE, DEFAULT_STORE, ScaleName, StoreDir


def selftest(
    probes: Annotated[list[str] | None, typer.Argument(help="Run only these probes; default: all.")] = None,
    scale: ScaleName = DEFAULT_SCALE,
    store: StoreDir = DEFAULT_STORE,
) -> None:
    """Probe FVD, VQA and CLIP for faults that are known to happen; exit status 7 where one is found.

    The store keeps the outcome, and tables of metrics that failed are marked.
    """
    import time

    from rdtf_bench.core.errors import RegressionError
    from rdtf_bench.run.protocols import load_scale
    from rdtf_bench.run.selftest import probe
    from rdtf_bench.run.selftest import record as selftest_record

    began_s = time.monotonic()
    at_scale = load_scale(scale)
    outcomes = []
    for outcome in probe.run(at_scale, probes):
        outcomes.append(outcome)
        typer.echo(f"{outcome.probe:20} {'passed' if outcome.passed else f'FAILED: {outcome.fault}'}")
    faults = {outcome.probe: outcome.fault for outcome in outcomes if outcome.fault is not None}
    if not probes:
        selftest_record.save(store, at_scale, faults)
    passed = len(outcomes) - len(faults)
    typer.echo(f"{passed} of {len(outcomes)} probes passed in {time.monotonic() - began_s:.0f} s")
    if faults:
        raise RegressionError(
            f"the metrics at scale {scale} are not right: {', '.join(faults)}. Trust no table of them."
        )
