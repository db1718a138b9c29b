"""`rdtf-bench store`: what a user sees."""

import io
import os
import sys
from pathlib import Path

import pytest

from rdtf_bench.core.store import HASHES, Store, write_text
from tests.command_line import rdtf_bench


@pytest.fixture
def entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an old entry of a store in ./runs that no record needs."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "published").mkdir()
    made = Store(tmp_path / "runs").make("samples", "one", lambda folder: write_text(folder / "clips", "clips"))
    for path in (made, *made.iterdir()):
        os.utime(path, (1.0, 1.0))
    return made


Say = pytest.CaptureFixture[str]


@pytest.mark.parametrize("command", ["ls", "verify", "gc"])
def test_a_folder_without_a_store_is_refused(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    status, said = rdtf_bench(monkeypatch, capsys, "store", command, "--store", str(tmp_path / "nowhere"))
    assert (status, "there is no store" in said) == (6, True)
    assert not (tmp_path / "nowhere").exists()


def test_a_damaged_file_is_named_with_a_status_of_its_own(
    entry: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    assert rdtf_bench(monkeypatch, capsys, "store", "verify") == (
        0,
        "1 of 1 entries were compared with their hashes.\nNo damage was found.\n",
    )
    (entry / "clips").write_text("other")
    status, said = rdtf_bench(monkeypatch, capsys, "store", "verify")
    assert status == 6
    assert f"{entry / 'clips'} has other bytes" in said


def test_an_entry_without_hashes_is_named_as_not_verified(
    entry: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say
) -> None:
    (entry / HASHES).unlink()
    (entry / "clips").write_text("other")
    status, said = rdtf_bench(monkeypatch, capsys, "store", "verify")
    assert status == 0
    assert said.startswith("0 of 1 entries were compared with their hashes.\nNot verified, because an earlier version ")
    assert "does not find changed bytes:\n  samples/one\n" in said


def test_a_dry_run_and_a_no_remove_nothing(entry: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say) -> None:
    status, said = rdtf_bench(monkeypatch, capsys, "store", "gc", "--dry-run", "--results", "published")
    assert (status, "Nothing is removed" in said) == (0, True)
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    status, said = rdtf_bench(monkeypatch, capsys, "store", "gc", "--results", "published")
    assert status == 1
    assert entry.is_dir()


def test_results_that_are_not_there_remove_nothing(entry: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say) -> None:
    status, said = rdtf_bench(monkeypatch, capsys, "store", "gc", "--yes", "--results", "nowhere")
    assert (status, "--results nowhere: there is no such folder" in said) == (6, True)
    assert entry.is_dir()


def test_yes_removes_without_a_question(entry: Path, monkeypatch: pytest.MonkeyPatch, capsys: Say) -> None:
    status, said = rdtf_bench(monkeypatch, capsys, "store", "gc", "--yes", "--results", "published")
    assert (status, "Folders removed: 1." in said) == (0, True)
    assert not entry.exists()
    status, said = rdtf_bench(monkeypatch, capsys, "store", "gc", "--yes", "--results", "published")
    assert (status, "holds nothing to remove" in said) == (0, True)


@pytest.mark.usefixtures("entry")
def test_the_sizes_of_a_store_are_listed(monkeypatch: pytest.MonkeyPatch, capsys: Say) -> None:
    status, said = rdtf_bench(monkeypatch, capsys, "store", "ls")
    assert status == 0
    assert ["samples", "1"] in [line.split()[:2] for line in said.splitlines()]
