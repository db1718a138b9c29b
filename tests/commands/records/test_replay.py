"""`rdtf-bench replay`: what a user sees. The work itself is replaced by a record."""

from dataclasses import replace
from pathlib import Path

import pytest

from rdtf_bench.run import replay
from rdtf_bench.run.record import Record
from rdtf_bench.run.replay import Replayable
from tests.command_line import rdtf_bench

Say = pytest.CaptureFixture[str]


def replayed(monkeypatch: pytest.MonkeyPatch, capsys: Say, *, moved_by: float) -> tuple[int, str]:
    """Replay the VQA of RDTF in ci as if the work gave a value that is moved by so much."""

    def run(planned: Replayable, **_: object) -> Record:
        vqa = planned.record.scores["vqa"]
        return replace(planned.record, scores={"vqa": replace(vqa, value=vqa.value + moved_by)})

    monkeypatch.setattr(replay, "run", run)
    return rdtf_bench(monkeypatch, capsys, "replay", "ci", "rdtf", "vqa", "--scale", "ci", "--quiet")


def test_a_number_that_repeats_has_status_0(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say) -> None:
    monkeypatch.chdir(tmp_path)
    status, said = replayed(monkeypatch, capsys, moved_by=0.0)
    assert (status, "stands" in said) == (0, True)
    assert list(tmp_path.iterdir()) == []


def test_a_number_that_moved_has_status_7_and_the_way_on(monkeypatch: pytest.MonkeyPatch, capsys: Say) -> None:
    status, said = replayed(monkeypatch, capsys, moved_by=0.5)
    assert status == 7
    assert "does not repeat: vqa moved. See what decided it: rdtf-bench why ci RDTF vqa --scale ci" in said


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["ci", "RDFT"], 2, "Did you mean 'RDTF'?"),
        (["ci", "RDTF", "fdv"], 2, "Did you mean 'fvd'?"),
        (["ci", "RDTF", "fvd", "--format", "jsn"], 2, "Did you mean 'json'?"),
        (["ci", "RDTF", "--data", "asg=nowhere"], 4, "nowhere"),
    ],
)
def test_a_users_fault_is_told_before_any_work(
    arguments: list[str], status: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(replay, "run", lambda *_, **__: pytest.fail("work was begun"))
    found, said = rdtf_bench(monkeypatch, capsys, "replay", *arguments, "--scale", "ci")
    assert found == status
    assert words in said
