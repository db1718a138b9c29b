"""`rdtf-bench list`: what a user sees."""

import pytest

from rdtf_bench import catalog
from rdtf_bench.spec.load import load_protocol
from tests.command_line import rdtf_bench


@pytest.mark.parametrize("columns", [80, 120])
def test_lines_fit_the_terminal(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    status, said = rdtf_bench(monkeypatch, capsys, "list")
    assert status == 0
    assert max(map(len, said.splitlines())) <= columns
    title = load_protocol("table1-released-baselines").title
    words = " ".join(said.split())
    assert f"table1-released-baselines {title}" in words
    assert f"simda {catalog.summary('method', 'simda')}" in words
