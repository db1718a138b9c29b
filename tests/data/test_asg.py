import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pyarrow import parquet

from rdtf_bench.core.errors import DataError
from rdtf_bench.data import asg
from rdtf_bench.data.reading.clips import all_frames
from rdtf_bench.data.toy import stickers as toy_stickers


@pytest.fixture
def small_toy(monkeypatch: pytest.MonkeyPatch) -> None:
    counts = {"train": 6, "validation": 2, "test": 3}
    write = toy_stickers.write
    monkeypatch.setattr(toy_stickers, "write", lambda root: write(root, counts=counts))


@pytest.mark.usefixtures("small_toy")
def test_without_a_source_the_toy_stickers_are_written_into_the_store(tmp_path: Path) -> None:
    root = asg.prepare(None, store=tmp_path)
    assert root == tmp_path / "data" / asg.builtin().fingerprint
    folder = asg.read(root, name="asg", cache=tmp_path / "indexes")
    assert folder.counts() == {"train": 6, "validation": 2, "test": 3}
    assert len(list((tmp_path / "indexes").iterdir())) == 1
    assert asg.prepare(None, store=tmp_path) == root


def test_the_builtin_set_is_known_without_writing_it() -> None:
    assert dict(asg.builtin().counts) == {"train": 640, "validation": 128, "test": 128}
    assert asg.builtin().fingerprint.startswith("toy-asg-")


def test_fluent_is_asked_for_where_it_is_absent(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="rdtf-bench data fetch fluent"):
        asg.prepare("fluent", store=tmp_path)
    (tmp_path / "data" / "fluent").mkdir(parents=True)
    (tmp_path / "data" / "fluent" / "metadata.jsonl").write_text('{"file_name": "1f600.webp", "cluster": "1f600"}\n')
    assert asg.prepare("fluent", store=tmp_path) == tmp_path / "data" / "fluent"


def test_any_other_source_is_a_folder(tmp_path: Path) -> None:
    assert asg.prepare("some/where", store=tmp_path) == Path("some/where")


def test_two_folders_have_two_indexes(tmp_path: Path, animation: Callable[..., Path]) -> None:
    for name in ("one", "two"):
        animation(tmp_path / name / f"{name}.gif", 3)
        asg.read(tmp_path / name, cache=tmp_path / "indexes")
    indexed = [parquet.read_table(path)["at"].to_pylist() for path in (tmp_path / "indexes").iterdir()]
    assert sorted(indexed) == [["one.gif"], ["two.gif"]]


def test_listing_data_needs_no_torch() -> None:
    heavy = "{'torch', 'mlflow', 'pandas', 'scipy', 'sklearn', 'matplotlib', 'diffusers'}"
    code = f"import sys, rdtf_bench.data.asg, rdtf_bench.data.fluent; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_real_stickers_decode(real_stickers: Path, tmp_path: Path) -> None:
    for source in sorted(real_stickers.rglob("*.gif"))[::100]:
        (tmp_path / source.name).symlink_to(source)
    folder = asg.read(tmp_path)
    assert len(folder.clips) == 12
    for clip in folder.clips:
        frames = all_frames(clip, most=8, size_px=64)
        assert frames.shape == (min(8, clip.num_frames), 3, 64, 64)
        assert frames.float().std() > 1  # something is drawn
        assert (frames == 255).all(dim=1).any()  # on white


def test_long_toy_stickers_are_a_source_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asg, "LONG_COUNTS", {"train": 1, "validation": 2, "test": 3})
    folder = asg.read(asg.prepare("toy-long", store=tmp_path), name="asg", cache=tmp_path / "indexes")
    assert folder.counts() == {"train": 1, "validation": 2, "test": 3}
    assert min(clip.num_frames for clip in folder.clips) >= 16
    assert dict(asg.builtin().counts) == {"train": 640, "validation": 128, "test": 128}
