"""`rdtf-bench doctor`: its exit status."""

from pathlib import Path

import pytest

from rdtf_bench.run import doctor
from rdtf_bench.run.doctor import Examination, Finding, ScaleFinding
from tests.command_line import rdtf_bench


@pytest.mark.parametrize(("missing", "status"), [("gpu", 0), ("tiny", 7)])
def test_the_status_says_whether_tiny_can_run(
    missing: str, status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lacks = (Finding(subject="disk", state="full", fault="is full"),)
    scales = tuple(
        ScaleFinding(scale=name, title="", lacks=lacks if name == missing else ()) for name in ("gpu", "tiny")
    )
    found = Examination(versions=(), machine=(), weights=(), store=(), scales=scales)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor, "examine", lambda _: found)
    ended, said = rdtf_bench(monkeypatch, capsys, "doctor")
    assert ended == status
    assert ("the scale tiny cannot run here" in said) == (status == 7)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_format_is_told_before_any_work(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "examine", lambda _: pytest.fail("the machine was examined"))
    status, said = rdtf_bench(monkeypatch, capsys, "doctor", "--format", "jsn")
    assert (status, "Did you mean 'json'?" in said) == (2, True)
