"""Probes the metrics as a scale configures them."""

from collections.abc import Iterator, Sequence
from typing import Any

from rdtf_bench.metrics.trials import selftest
from rdtf_bench.metrics.trials.selftest import Outcome
from rdtf_bench.run.build import instruments
from rdtf_bench.run.selftest import record as selftest_record
from rdtf_bench.spec.scale import Scale

NUM_PROBES = len(selftest.PROBES)


def run(scale: Scale, probes: Sequence[str] | None = None) -> Iterator[Outcome]:
    """Yield one outcome per probe: its name, and the fault that it found or None."""
    loaded = instruments.load(scale, selftest_record.METRICS)
    metrics: dict[str, Any] = {name: found.metric for name, found in loaded.items()}
    under_test = selftest.Instruments(**metrics)
    yield from selftest.run(under_test, probes)
