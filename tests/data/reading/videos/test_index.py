from pathlib import Path

import numpy as np
import pytest

from rdtf_bench.core.store import sha256_of
from rdtf_bench.data.reading.videos import index as video_index
from rdtf_bench.data.reading.videos.index import VideoFacts, inspect_videos
from rdtf_bench.data.reading.videos.video import Video
from tests.data.videos import write_video


def video(path: Path, num_frames: int = 6) -> Path:
    return write_video(path, [np.full((8, 8, 3), 9 * number, np.uint8) for number in range(num_frames)])


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the files that are read."""
    names: list[str] = []
    inspect = video_index._inspect

    def named(path: Path, stamp: str) -> VideoFacts:
        names.append(path.name)
        return inspect(path, stamp)

    monkeypatch.setattr(video_index, "_inspect", named)
    return names


def test_hash_and_time_stamps_are_known_without_decoding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = video(tmp_path / "a.mp4")
    monkeypatch.setattr(Video, "_checked", None)
    found = inspect_videos({"a": path}, cache=None)["a"]
    assert found.sha256 == sha256_of(path)
    assert found.times_us.tolist() == [0, 100_000, 200_000, 300_000, 400_000, 500_000]
    assert found.why_broken is None


def test_files_that_did_not_change_are_not_read_again(tmp_path: Path, read: list[str]) -> None:
    files = {name: video(tmp_path / f"{name}.mp4") for name in "abc"}
    (tmp_path / "c.mp4").write_bytes((tmp_path / "c.mp4").read_bytes()[:-1])
    cache = tmp_path / "index.parquet"
    first = inspect_videos(files, cache=cache)
    read.clear()
    video(tmp_path / "b.mp4", 9)
    files["d"] = video(tmp_path / "d.mp4")
    del files["a"]
    second = inspect_videos(files, cache=cache)
    assert read == ["b.mp4", "d.mp4"]
    assert (len(first["b"].times_us), len(second["b"].times_us)) == (6, 9)
    assert second["c"].why_broken == first["c"].why_broken
    assert "cut off" in (second["c"].why_broken or "")
    read.clear()
    third = inspect_videos(files, cache=cache)
    assert read == []
    for name, found in third.items():
        assert found.times_us.dtype == np.int64
        assert found.times_us.tolist() == second[name].times_us.tolist()
        assert (found.sha256, found.stamp) == (second[name].sha256, second[name].stamp)


def test_an_interrupted_reading_goes_on_where_it_was(
    tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(video_index, "SAVED_EVERY", 2)
    files = {name: video(tmp_path / f"{name}.mp4") for name in "abcd"}

    def stop(done: int, _: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        inspect_videos(files, cache=tmp_path / "index.parquet", on_progress=stop)
    read.clear()
    inspect_videos(files, cache=tmp_path / "index.parquet")
    assert read == ["c.mp4", "d.mp4"]


@pytest.mark.parametrize("damage", ["content", "version"])
def test_a_cache_that_cannot_be_used_is_made_again(
    damage: str, tmp_path: Path, read: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    files, cache = {"a": video(tmp_path / "a.mp4")}, tmp_path / "index.parquet"
    inspect_videos(files, cache=cache)
    if damage == "content":
        cache.write_bytes(b"PAR1 no table")
    else:
        monkeypatch.setattr(video_index, "VERSION", video_index.VERSION + 1)
    assert len(inspect_videos(files, cache=cache)["a"].times_us) == 6
    assert read == ["a.mp4", "a.mp4"]


def test_what_is_no_video_is_broken(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"hello")
    (tmp_path / "b.mp4").write_bytes(b"")
    files = {name: tmp_path / f"{name}.mp4" for name in "abc"}
    whys = [found.why_broken or "" for found in inspect_videos(files, cache=None).values()]
    assert "cannot be decoded" in whys[0]
    assert whys[1:] == ["is empty", "cannot be read: No such file or directory"]
