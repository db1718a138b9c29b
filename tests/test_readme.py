"""README.md says what the published records say."""

import json
import re
from pathlib import Path

import pytest

from tests.command_line import rdtf_bench
from tests.planted import PUBLISHED

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def test_the_first_table_is_the_published_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)  # an empty store
    status, printed = rdtf_bench(monkeypatch, capsys, "show", "table1")
    block = README.partition("```text\n")[2].partition("\n```")[0]
    assert status == 0
    assert printed.startswith(block)


def test_quoted_distances_are_published() -> None:
    """A number with its interval, such as 1792 [1638, 1946], is the FVD of a published row, or else a difference."""
    quoted = set(re.findall(r"(?<!by )(?<![-+\d])(\d{3,4}) \[(\d+),\s(\d+)\]", README))
    scores = [json.loads(path.read_text(encoding="utf-8"))["scores"].get("fvd") for path in PUBLISHED]
    published = {tuple(f"{score[end]:.0f}" for end in ("value", "ci_low", "ci_high")) for score in scores if score}
    assert quoted
    assert quoted <= published
