import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rdtf_bench.core.errors import DataError
from rdtf_bench.data import asg
from rdtf_bench.data.sources import packed
from tests.data.sources.packing import write_parquet, write_tar

Sticker = Callable[[str], bytes]


def captions_of(source: Path, store: Path) -> dict[str, tuple[str, str]]:
    """Return the caption and the split of each clip by its id."""
    folder = asg.read(asg.prepare(str(source), store=store))
    return {clip.id: (clip.caption, clip.split) for clip in folder.clips}


def test_a_folder_of_parquet_files_is_unpacked_once_into_the_store(tmp_path: Path, sticker: Sticker) -> None:
    source, store = tmp_path / "set", tmp_path / "store"
    for split in ("train", "validation", "test"):
        pictures = [sticker(f"{split}.gif"), sticker(f"{split}2.webp")]
        columns = {"image": pictures, "text": [f"a {split}", f"another {split}"]}
        write_parquet(source / "data" / f"{split}-00000-of-00001.parquet", columns)
    found = captions_of(source, store)
    assert found["asg/data/test-00000-of-00001/000000"] == ("a test", "test")
    assert [split for _, split in found.values()].count("validation") == 2
    (root,) = (store / "data").glob("unpacked-*")
    before = (root / "metadata.jsonl").stat().st_ino
    assert captions_of(source, store) == found
    assert (root / "metadata.jsonl").stat().st_ino == before
    write_parquet(source / "data" / "test-00000-of-00001.parquet", {"image": [sticker("x.gif")], "text": ["x"]})
    assert len(captions_of(source, store)) == 5
    assert len(list((store / "data").glob("unpacked-*"))) == 2


def test_a_tar_is_a_source_and_its_keys_are_the_ids(tmp_path: Path, sticker: Sticker) -> None:
    files = {
        "cat 1.gif": sticker("a.gif"),
        "cat 1.txt": b"a cat",
        "mute.gif": sticker("b.gif"),
        "pets/dog.gif": sticker("c.gif"),
        "pets/dog.json": b'{"text": "a dog", "id": "mine", "cluster": 4, "keyframe_idx": [1, 5]}',
        "photo.jpg": b"\xff\xd8\xff",
        "photo.txt": b"a photo",
    }
    source = write_tar(tmp_path / "stickers.tar.gz", files)
    folder = asg.read(asg.prepare(str(source), store=tmp_path / "store"))
    assert [(clip.id, clip.caption, clip.keyframes) for clip in folder.clips] == [
        ("asg/mine", "a dog", (1, 5)),
        ("asg/stickers/cat 1", "a cat", ()),
    ]
    assert folder.left_out() == "1 file without metadata; files of other kinds: 1 .jpg"


def test_files_that_are_all_named_train_say_nothing_about_splits(tmp_path: Path, sticker: Sticker) -> None:
    for number in range(2):
        files = {f"{number}.gif": sticker(f"{number}.gif"), f"{number}.txt": f"text {number}".encode()}
        write_tar(tmp_path / "set" / "train" / f"{number:05d}.tar", files)
    folder = asg.read(asg.prepare(str(tmp_path / "set"), store=tmp_path / "store"))
    assert folder.split_from == "sha256 of the caption, 80/10/10"


def test_a_split_column_beats_the_name_of_the_file(tmp_path: Path, sticker: Sticker) -> None:
    columns = {"gif": [sticker("a.gif"), sticker("b.gif")], "text": ["a", "b"], "split": ["test", "dev"]}
    found = captions_of(write_parquet(tmp_path / "train.parquet", columns), tmp_path / "store")
    assert [split for _, split in found.values()] == ["test", "validation"]


def test_packed_files_beside_animations_are_refused(tmp_path: Path, sticker: Sticker) -> None:
    write_tar(tmp_path / "set" / "backup.tar", {})
    (tmp_path / "set" / "a.gif").write_bytes(sticker("a.gif"))
    with pytest.raises(
        DataError, match=r"set: holds packed files, such as backup\.tar, and animations, such as a\.gif"
    ):
        asg.prepare(str(tmp_path / "set"), store=tmp_path / "store")


def test_files_of_one_stem_are_refused_and_those_in_a_folder_of_that_name_are_not(
    tmp_path: Path, sticker: Sticker
) -> None:
    files = {"0.gif": sticker("a.gif"), "0.txt": b"a"}
    source, store = tmp_path / "set", tmp_path / "store"
    write_tar(source / "a.tar", files)
    write_tar(source / "a" / "b.tar", {"1.gif": sticker("b.gif"), "1.txt": b"b"})
    assert set(captions_of(source, store)) == {"asg/a/0", "asg/a/b/1"}
    write_tar(source / "a.tar.gz", files)
    with pytest.raises(DataError, match=r"differ in their endings alone:\n *a\.tar.*\n *a\.tar\.gz.*\nRename"):
        captions_of(source, store)


def test_metadata_is_no_packed_file(tmp_path: Path) -> None:
    write_parquet(tmp_path / "only" / "metadata.parquet", {"file_name": ["a.gif"]})
    assert not packed.is_packed(tmp_path / "only")


def test_faults_are_named_and_leave_nothing(tmp_path: Path, sticker: Sticker) -> None:
    source, store = tmp_path / "set", tmp_path / "store"
    write_parquet(source / "a.parquet", {"image": [sticker("a.gif")], "text": ["a"], "id": ["x"]})
    write_parquet(source / "b.parquet", {"image": [sticker("b.gif")], "text": ["b"], "id": ["x"]})
    with pytest.raises(DataError, match=r"b\.parquet: row 1: the id 'x' is already used in .*a\.parquet: row 1"):
        asg.prepare(str(source), store=store)
    (source / "b.parquet").rename(source / "test.parquet")
    with pytest.raises(DataError, match=r"(?s)names tell no split, .*: 1\n.*a\.parquet.*Rename them"):
        asg.prepare(str(source), store=store)
    only = write_tar(tmp_path / "mute.tar", {"0.gif": sticker("a.gif"), "1.jpg": b"\xff\xd8\xff"})
    with pytest.raises(DataError, match=r"mute\.tar: holds no animation with a caption, but 1 \.gif, 1 \.jpg"):
        asg.prepare(str(only), store=store)
    wrong = write_parquet(tmp_path / "w.parquet", {"image": [sticker("a.gif")], "text": ["a"], "split": ["tset"]})
    with pytest.raises(DataError, match=r"w\.parquet: row 1: there is no split 'tset'"):
        asg.prepare(str(wrong), store=store)
    assert [path.name for path in (store / "data").iterdir() if not path.name.endswith(".lock")] == ["indexes"]


def test_a_disk_without_room_is_told_before_any_work(
    tmp_path: Path, sticker: Sticker, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_tar(tmp_path / "a.tar", {"0.gif": sticker("a.gif"), "0.txt": b"a"})
    monkeypatch.setattr(packed, "_needed_bytes", lambda _: 1 << 60)
    with pytest.raises(DataError, match=r"store/data: about 1073741824\.0 GiB are needed, and .* are free. Free some"):
        asg.prepare(str(source), store=tmp_path / "store")


def test_a_disk_that_fills_up_leaves_nothing_half_written(
    tmp_path: Path, sticker: Sticker, monkeypatch: pytest.MonkeyPatch
) -> None:
    files: dict[str, bytes] = {}
    for number in range(3):
        files |= {f"{number}.gif": sticker(f"{number}.gif"), f"{number}.txt": b"a"}
    source, write = write_tar(tmp_path / "a.tar", files), Path.write_bytes

    def fill(path: Path, data: bytes) -> int:
        if path.name == "000002.gif":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", fill)
    with pytest.raises(DataError, match=r"unpacked-.*: cannot be written: No space left on device.*Nothing half-writ"):
        asg.prepare(str(source), store=tmp_path / "store")
    monkeypatch.undo()
    assert not list((tmp_path / "store" / "data").glob("*unpacked-*[!k]"))
    assert len(captions_of(source, tmp_path / "store")) == 3
