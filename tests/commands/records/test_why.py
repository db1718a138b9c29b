"""`rdtf-bench why`: what a user sees."""

import json
from pathlib import Path

import pytest

from tests.command_line import rdtf_bench


def test_a_published_number_is_explained_without_a_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    status, said = rdtf_bench(monkeypatch, capsys, "why", "ci", "rdtf", "vqa", "--scale", "ci", "--format", "json")
    assert status == 0
    assert json.loads(said)["number"]["row"] == "RDTF"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["cii", "RDTF", "fvd"], 2, "there is no protocol 'cii'. Did you mean 'ci'?"),
        (["ci", "RDFT", "fvd", "--scale", "ci"], 2, "Did you mean 'RDTF'?"),
        (["ci", "RDTF", "fdv", "--scale", "ci"], 2, "Did you mean 'fvd'?"),
        (["ci", "RDTF", "fvd", "--format", "jsn"], 2, "Did you mean 'json'?"),
        (["ci", "RDTF", "fvd", "--scale", "paper"], 6, "rdtf-bench run ci --scale paper"),
        (["table7", "RDTF", "fvd"], 2, "a protocol with trained rows is needed"),
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
    found, said = rdtf_bench(monkeypatch, capsys, "why", *arguments)
    assert found == status
    assert words in said
    assert "Traceback" not in said
