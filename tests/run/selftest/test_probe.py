"""The metrics that the self-test is given; its probes are tested with the metrics."""

from collections.abc import Iterator, Sequence
from types import SimpleNamespace

import pytest

from rdtf_bench.metrics.trials import selftest
from rdtf_bench.metrics.trials.selftest import Outcome
from rdtf_bench.run.build import instruments
from rdtf_bench.run.selftest import probe
from rdtf_bench.run.selftest import record as selftest_record
from rdtf_bench.spec.load import load_scale
from rdtf_bench.spec.scale import Scale


def test_the_metrics_of_the_scale_are_probed_each_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    tiny, outcome = load_scale("tiny"), Outcome(probe="resize", fault=None)
    given: list[tuple[object, object]] = []

    def load(scale: Scale, names: Sequence[str]) -> dict[str, SimpleNamespace]:
        given.append((scale, set(names)))
        return {name: SimpleNamespace(metric=f"the scale's {name}") for name in names}

    def run(under_test: object, probes: Sequence[str] | None) -> Iterator[Outcome]:
        given.append((under_test, probes))
        yield outcome

    monkeypatch.setattr(instruments, "load", load)
    monkeypatch.setattr(selftest, "run", run)
    monkeypatch.setattr(selftest, "Instruments", lambda **metrics: metrics)
    assert list(probe.run(tiny, ["resize"])) == [outcome]
    assert given == [
        (tiny, set(selftest_record.METRICS)),
        ({name: f"the scale's {name}" for name in ("fvd", "vqa", "clip")}, ["resize"]),
    ]
    list(probe.run(tiny))
    assert given[-1] == (given[1][0], None)  # None: all probes
