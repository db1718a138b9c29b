"""The command line as a user calls it, in this process."""

import sys

import pytest

from rdtf_bench import cli


def rdtf_bench(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Return the exit status and what was printed, both streams together."""
    monkeypatch.setattr(sys, "argv", ["rdtf-bench", *arguments])
    status = 0
    try:
        cli.main()
    except SystemExit as e:
        status = int(e.code or 0)
    out, err = capsys.readouterr()
    return status, out + err
