"""The probes of the metrics, on the metrics as a scale configures them."""

from collections.abc import Sequence
from typing import Any

from rdtf_bench import catalog
from rdtf_bench.run.build import instruments
from rdtf_bench.run.selftest import record as selftest_record
from rdtf_bench.spec.schema import Scale


def run(scale: Scale, probes: Sequence[str] | None = None) -> list[Any]:
    """An outcome a probe: its name, and the fault that it found or None."""
    selftest = catalog.load("probe", "metrics")
    loaded = instruments.load(scale, selftest_record.METRICS)
    under_test = selftest.Instruments(**{name: found.metric for name, found in loaded.items()})
    outcomes: list[Any] = selftest.run(under_test, probes)
    return outcomes
