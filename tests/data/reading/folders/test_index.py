"""The index of a data folder: files that did not change are not read again, also after an interrupted check."""

import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from rdtf_bench.data.reading.folders import index
from rdtf_bench.data.reading.folders.index import inspect_all
from rdtf_bench.data.reading.folders.inspection import Facts


class Inspecting:
    """Stands in for the inspection: notes which files were read, and stops at one of them if told so."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.stops_at = ""

    def __call__(self, path: Path, *, with_look: bool) -> Facts:
        assert with_look
        if path.name == self.stops_at:
            raise KeyboardInterrupt
        self.names.append(path.name)
        if path.name == "bad.gif":
            return Facts(sha256="b", num_frames=0, why_broken="odd \udce9")
        return Facts(sha256=path.read_text(), num_frames=3, width_px=4, duration_us=5, is_uneven=True, look="0f")


@pytest.fixture
def inspecting(monkeypatch: pytest.MonkeyPatch) -> Inspecting:
    stand_in = Inspecting()
    monkeypatch.setattr(index, "inspect", stand_in)
    return stand_in


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Five files, by their path below the root."""
    found = {f"a/{name}": tmp_path / name for name in ("0.gif", "1.gif", "2.gif", "3.gif", "bad.gif")}
    for path in found.values():
        path.write_text(path.name)
    return found


def test_only_changed_files_are_read_again(inspecting: Inspecting, files: dict[str, Path], tmp_path: Path) -> None:
    cache = tmp_path / "indexes" / "index.parquet"
    first = inspect_all(files, cache, None)
    assert len(inspecting.names) == 5
    again = inspect_all(files, cache, None)
    assert len(inspecting.names) == 5
    assert {at: again[at] for at in again if at != "a/bad.gif"} == {at: first[at] for at in first if at != "a/bad.gif"}
    assert again["a/bad.gif"].why_broken == "odd \\udce9"
    files["a/2.gif"].write_text("longer than before")
    os.utime(files["a/3.gif"], (1, 1))
    assert inspect_all(files, cache, None)["a/2.gif"].sha256 == "longer than before"
    assert inspecting.names[5:] == ["2.gif", "3.gif"]


@pytest.mark.usefixtures("inspecting")
def test_files_that_are_gone_leave_the_index(files: dict[str, Path], tmp_path: Path) -> None:
    cache = tmp_path / "index.parquet"
    inspect_all(files, cache, None)
    del files["a/1.gif"]
    assert list(inspect_all(files, cache, None)) == list(files)
    assert parquet.read_table(cache)["at"].to_pylist() == list(files)


@pytest.mark.parametrize("saved_every_s", [60.0, -1.0])
def test_an_interrupted_check_goes_on_where_it_was(
    saved_every_s: float,
    inspecting: Inspecting,
    files: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(index, "SAVED_EVERY_S", saved_every_s)
    cache = tmp_path / "index.parquet"
    inspecting.stops_at = "2.gif"
    with pytest.raises(KeyboardInterrupt):
        inspect_all(files, cache, None)
    inspecting.stops_at = ""
    assert len(inspect_all(files, cache, None)) == 5
    assert inspecting.names == ["0.gif", "1.gif", "2.gif", "3.gif", "bad.gif"]


def test_the_index_is_saved_while_it_grows(
    inspecting: Inspecting, files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "SAVED_EVERY_S", -1.0)
    cache, held = tmp_path / "index.parquet", []
    inspect_all(files, cache, lambda *_: held.append(parquet.read_metadata(cache).num_rows if cache.is_file() else 0))
    assert held == [0, 1, 2, 3, 4]
    assert len(inspecting.names) == 5


def damaged(cache: Path) -> None:
    cache.write_bytes(cache.read_bytes()[:-20])


def of_another_version(cache: Path) -> None:
    parquet.write_table(parquet.read_table(cache).replace_schema_metadata({"version": "0"}), cache)


def without_a_column(cache: Path) -> None:
    parquet.write_table(parquet.read_table(cache).drop_columns(["look"]), cache)


def of_something_else(cache: Path) -> None:
    parquet.write_table(pa.table({"x": [1]}), cache)


def empty(cache: Path) -> None:
    cache.write_bytes(b"")


@pytest.mark.parametrize("change", [damaged, of_another_version, without_a_column, of_something_else, empty])
def test_an_index_that_cannot_be_used_is_made_anew(
    change: Callable[[Path], None], inspecting: Inspecting, files: dict[str, Path], tmp_path: Path
) -> None:
    cache = tmp_path / "index.parquet"
    inspect_all(files, cache, None)
    change(cache)
    inspect_all(files, cache, None)
    assert len(inspecting.names) == 10
    inspect_all(files, cache, None)
    assert len(inspecting.names) == 10


def test_without_an_index_every_file_is_read(inspecting: Inspecting, files: dict[str, Path]) -> None:
    inspect_all(files, None, None)
    inspect_all(files, None, None)
    assert len(inspecting.names) == 10
