"""Hashes of files that are kept: an unchanged file is not read again, a changed one is."""

import os
from pathlib import Path

import pytest

from rdtf_bench.core.store import sha256_of
from rdtf_bench.run.table.external import hashes
from rdtf_bench.run.table.external.hashes import sha256_by_file


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "mine" / "unet" / "weights"
    path.parent.mkdir(parents=True)
    path.write_text("1")
    return path


def test_a_file_is_read_again_only_when_it_has_changed(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []

    def reading(path: Path) -> str:
        read.append(path)
        return sha256_of(path)

    monkeypatch.setattr(hashes, "sha256_of", reading)
    folder, cache = tmp_path / "mine", tmp_path / "cache"
    first = sha256_by_file(folder, [weights], cache)
    assert first == {"unet/weights": sha256_of(weights)}
    assert sha256_by_file(folder, [weights], cache) == first
    assert read == [weights]
    stat = weights.stat()
    weights.write_text("2")  # the same size
    os.utime(weights, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    assert sha256_by_file(folder, [weights], cache) == {"unet/weights": sha256_of(weights)} != first
    assert read == [weights, weights]


def test_a_damaged_cache_counts_as_none(weights: Path, tmp_path: Path) -> None:
    folder, cache = tmp_path / "mine", tmp_path / "cache"
    first = sha256_by_file(folder, [weights], cache)
    (kept,) = cache.iterdir()
    kept.write_text("{")
    assert sha256_by_file(folder, [weights], cache) == first
    assert kept.read_text() != "{"


def test_without_a_cache_nothing_is_kept(weights: Path, tmp_path: Path) -> None:
    assert sha256_by_file(tmp_path / "mine", [weights], None) == {"unet/weights": sha256_of(weights)}
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
