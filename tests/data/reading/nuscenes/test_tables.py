from collections.abc import Callable
from pathlib import Path

import pytest

from rdtf_bench.core.errors import DataError
from rdtf_bench.data.reading.nuscenes import tables as nuscenes_tables
from tests.data.nuscenes_folder import TRAIN, VERSION, Rows, change, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "nuscenes", {TRAIN: 2})


def test_frames_have_scene_camera_time_and_file(folder: Path) -> None:
    found = nuscenes_tables.frames(folder / VERSION)
    assert len(found) == 6 * 7 - 1
    assert {frame.scene for frame in found} == {TRAIN}
    assert {frame.camera for frame in found} == set(nuscenes_tables.CAMERAS)
    assert all(f"__{frame.camera}__{frame.timestamp_us}.jpg" in frame.file_name for frame in found)
    assert [frame.is_key for frame in found[:7]] == [True, False, False, False, False, False, True]


def test_a_missing_table_is_named(folder: Path) -> None:
    for name in ("sample", "sensor"):
        (folder / VERSION / f"{name}.json").unlink()
    with pytest.raises(
        DataError, match=rf"{VERSION}: lacks sensor.json, sample.json. Unpack the metadata archive again"
    ):
        nuscenes_tables.frames(folder / VERSION)


def test_a_truncated_table_is_named_with_the_place(folder: Path) -> None:
    path = folder / VERSION / "sample_data.json"
    text = path.read_bytes()
    for damaged in (text[: len(text) // 2], b"", b"\xff" + text):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"sample_data.json: is damaged or incomplete, because it is not JSON: .+"):
            nuscenes_tables.frames(folder / VERSION)


@pytest.mark.parametrize(
    ("edit", "fault"),
    [
        (lambda rows: rows[3].update(token=rows[1]["token"]), "row 4 has the token '[0-9a-f]{32}' of row 2"),
        (lambda rows: rows[2].pop("timestamp"), "row 3: 'timestamp' is absent or not a whole number"),
        (lambda rows: rows[2].update(is_key_frame=1), "row 3: 'is_key_frame' is absent or not true or false"),
        (lambda rows: rows.insert(0, 5), "row 1 is not an object"),
    ],
)
def test_rows_that_cannot_be_used_are_named(folder: Path, edit: Callable[[Rows], None], fault: str) -> None:
    change(folder, "sample_data", edit)
    with pytest.raises(DataError, match=f"sample_data.json: rows that cannot be used: 1\n  {fault}\n"):
        nuscenes_tables.frames(folder / VERSION)


@pytest.mark.parametrize("text", ["{}", "[]", '{"token": "a"}', "null"])
def test_a_table_is_a_list_of_rows(folder: Path, text: str) -> None:
    (folder / VERSION / "scene.json").write_text(text)
    with pytest.raises(DataError, match=r"scene.json: is not a list of rows"):
        nuscenes_tables.frames(folder / VERSION)


def test_tokens_of_other_tables_are_looked_up(folder: Path) -> None:
    change(folder, "sample", lambda rows: rows.pop())
    with pytest.raises(DataError, match=r"sample_data.json: rows with a sample token that is not in sample.json: 35\n"):
        nuscenes_tables.frames(folder / VERSION)


def test_files_outside_the_folder_are_refused(folder: Path) -> None:
    change(folder, "sample_data", lambda rows: rows[0].update(filename="../../a.jpg"))
    with pytest.raises(DataError, match=r"names files outside the folder: 1\n  \.\./\.\./a.jpg"):
        nuscenes_tables.frames(folder / VERSION)


def test_the_cache_is_used_and_a_damaged_or_old_one_is_not(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tables, cache = folder / VERSION, folder / "indexes" / "frames.parquet"
    expected = nuscenes_tables.frames(tables, cache=cache)
    whole = cache.read_bytes()
    middle = len(whole) // 3
    for damaged in (b"", b"PAR1", whole[:-9], whole[:middle] + bytes(64) + whole[middle + 64 :]):
        cache.write_bytes(damaged)
        assert nuscenes_tables.frames(tables, cache=cache) == expected
        assert cache.read_bytes() == whole  # it was written again
    change(folder, "sample_data", lambda rows: rows[0].update(token="another"))
    changed = nuscenes_tables.frames(tables, cache=cache)
    assert changed != expected
    monkeypatch.setattr(nuscenes_tables, "_frames", lambda *_: pytest.fail("the tables were read"))
    assert nuscenes_tables.frames(tables, cache=cache) == changed
