"""The self-test's command and the mark it leaves; the probes themselves are tested with the metrics."""

import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from rdtf_bench import cli
from rdtf_bench.core.errors import StoreError
from rdtf_bench.report.table.publish import publish
from rdtf_bench.report.table.table import render
from rdtf_bench.run.selftest import probe
from rdtf_bench.run.selftest import record as selftest_record
from rdtf_bench.run.table import context
from rdtf_bench.spec.load import load_protocol, load_scale
from rdtf_bench.spec.scale import Scale

TINY = load_scale("tiny")
FAULTS = {"resize": "other values than by hand"}


@dataclass
class Outcome:
    probe: str
    fault: str | None

    @property
    def passed(self) -> bool:
        return self.fault is None


def test_only_a_failure_of_these_metrics_is_a_warning(tmp_path: Path) -> None:
    assert selftest_record.warning(tmp_path, TINY) is None
    selftest_record.save(tmp_path, TINY, FAULTS)
    said = selftest_record.warning(tmp_path, TINY)
    assert said is not None
    assert said.startswith("SELF-TEST FAILED (resize): trust no FVD, VQA or CLIP of this table.")
    other: Scale = TINY.model_copy(update={"metrics": {**TINY.metrics, "vqa": {"grid": 3}}})
    assert selftest_record.warning(tmp_path, other) is None
    selftest_record.save(tmp_path, TINY, {})
    assert selftest_record.warning(tmp_path, TINY) is None


def test_a_scale_without_a_network_of_a_metric_has_no_outcome(tmp_path: Path) -> None:
    without = TINY.model_copy(update={"assets": {role: name for role, name in TINY.assets.items() if role != "clip"}})
    assert not selftest_record.can_be_made(without)
    assert not selftest_record.is_known(tmp_path, without)
    assert selftest_record.warning(tmp_path, without) is None


@pytest.mark.parametrize("format", ["text", "md"])
def test_a_table_is_marked_before_all_else(format: str, tmp_path: Path) -> None:
    selftest_record.save(tmp_path, TINY, FAULTS)
    spec = load_protocol("table1")
    _, cells = context.cells_of(spec, TINY, None, tmp_path)
    printed = render(spec, TINY, cells, {}, format=format, width=200, warning=selftest_record.warning(tmp_path, TINY))
    assert printed.index("SELF-TEST FAILED") < printed.index("not run: measure it with")


def test_a_table_of_failed_metrics_is_not_published(tmp_path: Path) -> None:
    selftest_record.save(tmp_path, TINY, FAULTS)
    with pytest.raises(StoreError, match=r"SELF-TEST FAILED \(resize\).*is not published"):
        publish(load_protocol("table1"), TINY, [], store=tmp_path, results=tmp_path / "results")


@pytest.mark.parametrize(
    ("arguments", "fault", "status", "kept"),
    [([], None, 0, True), ([], "wrong", 7, True), (["resize"], "wrong", 7, False)],
)
def test_the_command_fails_where_a_probe_does_and_keeps_the_outcome_of_all(
    arguments: list[str],
    fault: str | None,
    status: int,
    kept: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(probe, "run", lambda *_: [Outcome("identity", None), Outcome("resize", fault)])
    monkeypatch.setattr(sys, "argv", ["rdtf-bench", "selftest", *arguments, "--store", str(tmp_path)])
    with pytest.raises(SystemExit) as e:
        cli.main()
    out, err = capsys.readouterr()
    assert (e.value.code or 0) == status
    assert "identity             passed" in out
    assert ("resize               FAILED: wrong" in out) == (fault is not None)
    assert ("Trust no table of them" in err) == (fault is not None)
    assert (tmp_path / "selftest").is_dir() == kept
    assert (selftest_record.warning(tmp_path, TINY) is not None) == (kept and fault is not None)
