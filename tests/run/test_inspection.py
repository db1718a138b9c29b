import json
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from rdtf_bench.core.errors import DataError, UnknownNameError
from rdtf_bench.run.inspection import Inspection, inspect, source_of

Rows = dict[str, tuple[str, str, str | None]]
"""The metadata of a folder: file name -> caption, split and cluster."""


def write_clip(path: Path, x: int, *, num_frames: int = 4, tint: int = 0) -> None:
    """Write frames of 32 px in which a disc at `x` and a bar grow."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = []
    for number in range(num_frames):
        frame = Image.new("RGB", (32, 32), (255, 255, 255))
        draw = ImageDraw.Draw(frame)
        draw.ellipse((x, 4, x + 10 + number, 14 + number), fill=(200, tint, 0))
        draw.rectangle((31 - x, 18, 31, 22 + number), fill=(0, tint, 120))
        frames.append(frame)
    frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True, duration=250)


def write_rows(root: Path, rows: Rows) -> None:
    lines = [
        {"file_name": name, "text": text, "split": split, "cluster": cluster}
        for name, (text, split, cluster) in rows.items()
    ]
    (root / "metadata.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def inspected(root: Path, store: Path) -> Inspection:
    return inspect("asg", str(root), store=store)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    for number in range(4):
        write_clip(root / f"{number}.webp", 2 + 5 * number, num_frames=4 + 2 * number)
    splits = ("train", "train", "validation", "test")
    write_rows(root, {f"{number}.webp": (f"word {number}", split, None) for number, split in enumerate(splits)})
    return root


def test_a_sound_folder_has_its_counts_and_no_fault(data: Path, tmp_path: Path) -> None:
    found = inspected(data, tmp_path)
    found.require_sound()
    counts = {split: facts.num_clips for split, facts in found.splits.items()}
    assert counts == {"train": 2, "validation": 1, "test": 1, "all": 4}
    frames, seconds = found.splits["all"].frames, found.splits["all"].duration_s
    assert frames is not None
    assert seconds is not None
    assert (frames.smallest, frames.median, frames.largest) == (4, 7, 10)
    assert (seconds.smallest, seconds.largest) == (1.0, 2.5)
    assert found.sizes_px == {(32, 32): 4}
    assert found.kinds[".webp"].num_bytes == sum(path.stat().st_size for path in data.glob("*.webp"))
    assert found.captions == {f"word {number}": 1 for number in range(4)}
    assert (found.faults, found.copies, found.leaks) == ((), (), ())


def test_each_leak_is_told_once_with_its_kind(data: Path, tmp_path: Path) -> None:
    (data / "same.webp").write_bytes((data / "0.webp").read_bytes())
    write_clip(data / "near.webp", 7, num_frames=6, tint=9)
    write_clip(data / "caption.webp", 10)
    write_clip(data / "cluster.webp", 15)
    write_clip(data / "beside.webp", 20)
    rows: Rows = {
        "0.webp": ("zero", "train", None),
        "same.webp": ("another", "test", None),
        "1.webp": ("one", "train", None),
        "near.webp": ("a further one", "validation", None),
        "2.webp": ("Smile", "validation", None),
        "caption.webp": ("smile", "test", None),
        "3.webp": ("three", "test", None),
        "cluster.webp": ("four", "train", "scene 1"),
        "beside.webp": ("five", "test", "scene 1"),
    }
    write_rows(data, rows)
    found = inspected(data, tmp_path)
    assert {(leak.kind, frozenset(clip.path.name for clip in leak.clips)) for leak in found.leaks} == {
        ("same bytes", frozenset({"0.webp", "same.webp"})),
        ("near copies", frozenset({"1.webp", "near.webp"})),
        ("same caption", frozenset({"2.webp", "caption.webp"})),
        ("same cluster", frozenset({"cluster.webp", "beside.webp"})),
    }
    assert {frozenset(clip.path.name for clip in group) for group in found.copies} == {
        frozenset({"0.webp", "same.webp"}),
        frozenset({"1.webp", "near.webp"}),
    }
    kinds = "same bytes: 1, near copies: 1, same caption: 1, same cluster: 1"
    with pytest.raises(DataError, match=rf"leaks between splits \({kinds}\)"):
        found.require_sound()


def test_copies_that_pairs_connect_are_one_group(data: Path, tmp_path: Path) -> None:
    (data / "metadata.jsonl").unlink()
    for number in range(3):
        (data / f"same{number}.webp").write_bytes((data / "0.webp").read_bytes())
        write_clip(data / f"near{number}.webp", 2, num_frames=4, tint=5 + number)
    found = inspected(data, tmp_path)
    assert [sorted(clip.path.name for clip in group) for group in found.copies] == [
        ["0.webp", "near0.webp", "near1.webp", "near2.webp", "same0.webp", "same1.webp", "same2.webp"]
    ]
    assert found.leaks == ()


def test_a_folder_without_a_whole_file_is_inspected(tmp_path: Path) -> None:
    root = tmp_path / "data"
    for number in range(3):
        write_clip(root / f"{number}.gif", 5 * number)
        whole = (root / f"{number}.gif").read_bytes()
        (root / f"{number}.gif").write_bytes(whole[: len(whole) // 2 + number])
    (root / "empty.gif").write_bytes(b"")
    found = inspected(root, tmp_path)
    assert (found.clips, found.splits["all"].frames, found.kinds) == ((), None, {})
    assert [len(fault.files) for fault in found.faults] == [3, 1]
    assert found.faults[1].fault == "is empty"
    with pytest.raises(DataError, match="holds 4 broken files") as refused:
        found.require_sound()
    assert refused.value.exit_status == 4


def test_a_dataset_is_named_with_or_without_a_folder(tmp_path: Path) -> None:
    assert source_of("asg") == ("asg", None)
    assert source_of("ophnet=videos") == ("ophnet", "videos")
    with pytest.raises(UnknownNameError, match=r"there is no dataset 'asgg'\. Did you mean 'asg'"):
        source_of("asgg")
    with pytest.raises(DataError, match="Write asg="):
        source_of(str(tmp_path))
