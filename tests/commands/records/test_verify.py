"""`rdtf-bench verify paper`: what a user sees."""

import json
from pathlib import Path

import pytest

from tests.command_line import rdtf_bench

Say = pytest.CaptureFixture[str]


def test_published_records_give_verdicts_without_a_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    monkeypatch.chdir(tmp_path)
    status, said = rdtf_bench(monkeypatch, capsys, "verify", "paper", "--format", "json")
    found = {(row["table"], row["metric"], row["better"], row["worse"]): row for row in json.loads(said)}
    assert status == 0
    assert found["table8", "params", "RDTF", "SimDA"]["verdict"] == "confirmed"
    assert found["table1", "fvd", "RDTF", "SimDA"]["paper_better"] == 442.18
    assert found["table1", "fvd", "RDTF", "SimDA"]["scale"] == "small"  # the table's own
    assert {row["scale"] for row in found.values() if row["table"] == "table3"} == {"tiny"}
    assert list(tmp_path.iterdir()) == []


def test_without_records_nothing_is_claimed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say) -> None:
    monkeypatch.chdir(tmp_path)
    status, said = rdtf_bench(monkeypatch, capsys, "verify", "paper", "--results", "nowhere", "--format", "json")
    assert (status, {row["verdict"] for row in json.loads(said)}) == (0, {"not run"})


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(["paper", "--format", "jsn"], "Did you mean 'json'?"), (["paper", "--scale", "tinny"], "Did you mean 'tiny'?")],
)
def test_a_users_fault_is_one_clear_error(
    arguments: list[str], words: str, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    status, said = rdtf_bench(monkeypatch, capsys, "verify", *arguments)
    assert (status, words in said) == (2, True)
