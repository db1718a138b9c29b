"""`rdtf-bench validate`: what a user sees."""

import pytest

from tests.command_line import rdtf_bench


def test_a_name_of_a_protocol_and_a_scale_is_read_as_both(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status, said = rdtf_bench(monkeypatch, capsys, "validate", "ci", "ci")
    assert status == 0
    lines = said.splitlines()
    assert len(lines) == len(set(lines))
    assert [line for line in lines if line.startswith("ci: a scale, ")] == [lines[-1]]
    assert all(line.startswith("ci at ") for line in lines[:-1])
    assert "ci at ci: 6 cells" in lines
