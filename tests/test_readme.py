"""README.md says what the published records say."""

from pathlib import Path

import pytest

from tests.command_line import rdtf_bench

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_the_first_table_is_the_published_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)  # an empty store
    status, printed = rdtf_bench(monkeypatch, capsys, "show", "table1")
    block = README.partition("```text\n")[2].partition("\n```")[0]
    assert status == 0
    assert printed.startswith(block)
