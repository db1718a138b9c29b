"""`rdtf-bench diff`: what a user sees."""

import json
from pathlib import Path

import pytest

from tests.command_line import rdtf_bench


def test_a_published_table_does_not_differ_from_itself(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status, said = rdtf_bench(monkeypatch, capsys, "diff", "ci", "ci", "--scale", "ci", "--format", "json")
    found = json.loads(said)
    assert (status, found["facts"]) == (0, [])
    assert {score["in_difference_sd"] for score in found["scores"]} == {0.0}


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["cii", "ci", "--scale", "ci"], 2, "there is no published table 'cii'. Did you mean 'ci'?"),
        (["ci", "ci", "--scale", "cii"], 2, "there is no scale 'cii'. Did you mean 'ci'?"),
        (["ci", "nowhere:ci", "--scale", "ci"], 6, "nowhere: there is no store with records"),
        (["ci", "nowhere.json", "--scale", "ci"], 6, "nowhere.json: there is no such file"),
        (["ci", "git:nowhere:ci", "--scale", "ci"], 6, "git:nowhere:ci: git does not have it"),
        (["ci", "ci", "--format", "jsn"], 2, "Did you mean 'json'?"),
    ],
)
def test_a_users_fault_is_one_clear_error(
    arguments: list[str],
    status: int,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    found, said = rdtf_bench(monkeypatch, capsys, "diff", *arguments)
    assert found == status
    assert words in said
    assert "Traceback" not in said
