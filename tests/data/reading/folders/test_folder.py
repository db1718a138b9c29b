import json
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from rdtf_bench.core.dataset import Clip
from rdtf_bench.core.errors import DataError
from rdtf_bench.data.reading.folders.folder import choose, clustering, fingerprint, read

Animation = Callable[..., Path]


def write_rows(root: Path, *rows: dict[str, str]) -> None:
    (root / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def clips(count: int, *, num_frames: int = 8, split: str = "test") -> list[Clip]:
    return [
        Clip(
            id=f"a/{i}",
            path=Path(f"{i}.gif"),
            caption=f"{i}",
            cluster=f"{i}",
            split=split,
            num_frames=num_frames,
            sha256=f"{i}",
        )
        for i in range(count)
    ]


def test_a_tree_with_metadata(tmp_path: Path, animation: Animation) -> None:
    animation(tmp_path / "b" / "two.webp", 12)
    animation(tmp_path / "a" / "one.gif", 5)
    animation(tmp_path / "extra.png", 3)
    write_rows(
        tmp_path,
        {"file_name": "b/two.webp", "text": "a cat", "split": "test"},
        {"file_name": "a/one.gif", "text": "a dog", "split": "train"},
    )
    folder = read(tmp_path, name="mine")
    assert [(clip.id, clip.caption, clip.split, clip.num_frames) for clip in folder.clips] == [
        ("mine/a/one", "a dog", "train", 5),
        ("mine/b/two", "a cat", "test", 12),
    ]
    assert folder.uncaptioned == (tmp_path / "extra.png",)
    assert folder.left_out() == "1 file without metadata"
    assert (folder.captions_from, folder.split_from) == ("metadata.jsonl", "split column")
    assert folder.counts() == {"train": 1, "validation": 0, "test": 1}


def test_without_metadata_captions_come_from_names_and_equal_ones_share_a_split(
    tmp_path: Path, animation: Animation
) -> None:
    for number in range(12):
        animation(tmp_path / f"s{number}" / "Red_Fox.gif", 3, seed=number)
        animation(tmp_path / f"{number}_bird {number}.gif", 3, seed=number)
    folder = read(tmp_path, name="mine")
    foxes = [clip for clip in folder.clips if clip.caption == "red fox"]
    assert len(folder.clips) == 24
    assert len(foxes) == 12
    assert len({clip.split for clip in foxes}) == 1
    assert folder.captions_from == "file names"
    assert folder.split_from.startswith("sha256 of the caption")


def test_ids_come_from_metadata_or_keep_the_suffix_where_stems_meet(tmp_path: Path, animation: Animation) -> None:
    animation(tmp_path / "a.gif", 3)
    animation(tmp_path / "a.png", 3)
    animation(tmp_path / "b.gif", 3)
    assert [clip.id for clip in read(tmp_path, name="m").clips] == ["m/a.gif", "m/a.png", "m/b"]
    write_rows(tmp_path, {"file_name": "b.gif", "text": "b", "id": "0042"})
    assert [clip.id for clip in read(tmp_path, name="m").clips] == ["m/0042"]


def test_broken_files_are_listed_and_stop_unless_skipped(tmp_path: Path, animation: Animation) -> None:
    whole = animation(tmp_path / "whole.gif", 4)
    (tmp_path / "cut.gif").write_bytes(whole.read_bytes()[:-20])
    (tmp_path / "text.webp").write_text("no image")
    animation(tmp_path / "still.gif", 1)
    folder = read(tmp_path, name="m")
    assert [clip.id for clip in folder.clips] == ["m/whole"]
    assert [item.path.name for item in folder.broken] == ["cut.gif", "text.webp"]
    assert folder.stills == (tmp_path / "still.gif",)
    with pytest.raises(DataError, match=r"(?s)2 files cannot be used.*cut.gif: .*text.webp: is not.*--skip-broken"):
        folder.require_unbroken(skip_broken=False)
    folder.require_unbroken(skip_broken=True)


def test_a_long_list_of_broken_files_is_cut(tmp_path: Path, animation: Animation) -> None:
    animation(tmp_path / "whole.gif", 4)
    for number in range(8):
        (tmp_path / f"{number}.gif").touch()
    with pytest.raises(DataError, match=r"(?s)8 files.*4\.gif: is empty.*and 3 more") as caught:
        read(tmp_path, name="m").require_unbroken(skip_broken=False)
    assert "5.gif" not in str(caught.value)


@pytest.mark.parametrize("make", ["nothing", "a file", "an empty folder", "stills"])
def test_a_folder_that_cannot_serve_is_refused(make: str, tmp_path: Path, animation: Animation) -> None:
    root = tmp_path / "data"
    says = {
        "nothing": "there is no such folder",
        "a file": "is not a folder",
        "an empty folder": "holds no file that could be used",
        "stills": "holds no animation: 2 still images",
    }[make]
    if make == "a file":
        root.touch()
    elif make != "nothing":
        root.mkdir()
        (root / "note.txt").touch()
    if make == "stills":
        animation(root / "a.png", 1)
        animation(root / "b.gif", 1)
    with pytest.raises(DataError, match=says):
        read(root, name="m")


def test_metadata_that_names_absent_files_is_refused(tmp_path: Path, animation: Animation) -> None:
    animation(tmp_path / "a.gif", 3)
    write_rows(tmp_path, *({"file_name": f"{name}.gif", "text": "x"} for name in ("a", *range(7))))
    with pytest.raises(DataError, match=r"(?s)names 7 files that are not there \(of 8\).*jsonl:2: 0.gif.*and 2 more"):
        read(tmp_path, name="m")
    write_rows(tmp_path, {"file_name": "note.pdf", "text": "x"})
    with pytest.raises(DataError, match=r"(?s)names 1 file of another kind than .gif.*note.pdf"):
        read(tmp_path, name="m")


def write_layout(root: Path, animation: Animation) -> None:
    """Hugging Face's imagefolder, with one metadata file for each split."""
    for split, name in (("train", "a"), ("val", "b"), ("test", "c")):
        animation(root / split / f"{name}.gif", 3)
        write_rows(root / split, {"file_name": f"{name}.gif", "text": f"caption {name}"})


def test_metadata_in_the_folders_of_the_splits(tmp_path: Path, animation: Animation) -> None:
    write_layout(tmp_path, animation)
    folder = read(tmp_path, name="m")
    assert [(clip.id, clip.caption, clip.split) for clip in folder.clips] == [
        ("m/test/c", "caption c", "test"),
        ("m/train/a", "caption a", "train"),
        ("m/val/b", "caption b", "validation"),
    ]
    assert folder.split_from == "folder names"
    assert folder.captions_from == "test/metadata.jsonl, train/metadata.jsonl, val/metadata.jsonl"
    assert not folder.uncaptioned


def test_folders_name_the_split_without_metadata_too(tmp_path: Path, animation: Animation) -> None:
    animation(tmp_path / "train" / "red fox.gif", 3)
    animation(tmp_path / "test" / "red fox.gif", 3)
    folder = read(tmp_path, name="m")
    assert {clip.id: clip.split for clip in folder.clips} == {"m/train/red fox": "train", "m/test/red fox": "test"}
    assert (folder.captions_from, folder.split_from) == ("file names", "folder names")


def test_a_split_column_wins_over_the_folder(tmp_path: Path, animation: Animation) -> None:
    write_layout(tmp_path, animation)
    write_rows(tmp_path / "train", {"file_name": "a.gif", "text": "a", "split": "test"})
    folder = read(tmp_path, name="m")
    assert {clip.id: clip.split for clip in folder.clips}["m/train/a"] == "test"
    assert folder.split_from == "split column and folder names"


def test_animations_outside_of_the_folders_of_the_splits_are_named(tmp_path: Path, animation: Animation) -> None:
    write_layout(tmp_path, animation)
    animation(tmp_path / "more" / "d.gif", 3)
    write_rows(tmp_path / "more", {"file_name": "d.gif", "text": "d"})
    with pytest.raises(
        DataError, match=r"(?s)3 animations have a split .* and 1 has none:\n  .*more/d\.gif\nMove them"
    ):
        read(tmp_path, name="m")
    write_rows(tmp_path / "more", {"file_name": "d.gif", "text": "d", "split": "train"})
    assert read(tmp_path, name="m").counts() == {"train": 2, "validation": 1, "test": 1}


def test_metadata_may_be_parquet(tmp_path: Path, animation: Animation) -> None:
    animation(tmp_path / "deep" / "a.gif", 3)
    rows = {"image_file_name": ["a.gif"], "caption": ["a cat"]}
    parquet.write_table(pyarrow.table(rows), tmp_path / "deep" / "metadata.parquet")
    folder = read(tmp_path, name="m")
    assert [clip.caption for clip in folder.clips] == ["a cat"]
    assert (folder.captions_from, folder.other_kinds) == ("deep/metadata.parquet", {})


def test_two_metadata_files_that_name_one_file_are_refused(tmp_path: Path, animation: Animation) -> None:
    write_layout(tmp_path, animation)
    write_rows(tmp_path, {"file_name": "train/a.gif", "text": "another"})
    with pytest.raises(
        DataError, match=r"(?s)name the same 1 file:.*train/metadata.jsonl:1: train/a.gif is already named at .*jsonl:1"
    ):
        read(tmp_path, name="m")
    (tmp_path / "train" / "metadata.csv").touch()
    with pytest.raises(DataError, match=r"train: holds metadata.csv and metadata.jsonl. Keep one of them"):
        read(tmp_path, name="m")


def test_a_file_is_found_under_any_spelling_of_its_name(tmp_path: Path, animation: Animation) -> None:
    animation(tmp_path / "data" / "sub" / "cafe\u0301.gif", 3)
    animation(tmp_path / "data" / "back\\slash.gif", 3)
    write_rows(
        tmp_path / "data",
        {"file_name": "sub\\caf\u00e9.gif", "text": "one"},
        {"file_name": "back\\slash.gif", "text": "two"},
    )
    folder = read(tmp_path / "data", name="m", cache=tmp_path / "index.parquet")
    assert {clip.id: clip.caption for clip in folder.clips} == {"m/sub/caf\u00e9": "one", "m/back\\slash": "two"}
    assert all(clip.path.is_file() for clip in folder.clips)
    assert read(tmp_path / "data", name="m", cache=tmp_path / "index.parquet") == folder
    write_rows(
        tmp_path / "data",
        {"file_name": "sub\\cafe\u0301.gif", "text": "one"},
        {"file_name": "sub/caf\u00e9.gif", "text": "two"},
    )
    with pytest.raises(DataError, match=r"jsonl:2: file_name 'sub/café.gif' is already used at .*jsonl:1"):
        read(tmp_path / "data", name="m")


def test_other_kinds_and_links_to_nothing_are_told(tmp_path: Path, animation: Animation) -> None:
    for name in ("a.avif", "b.AVIF", "c.mpg", "README"):
        (tmp_path / name).touch()
    with pytest.raises(
        DataError, match=r"holds no file that could be used.*other kinds: 2 .avif, 1 .mpg, 1 without suffix"
    ):
        read(tmp_path, name="m")
    animation(tmp_path / "a.gif", 3)
    write_rows(tmp_path, {"file_name": "a.gif", "text": "a"})
    (tmp_path / "gone").symlink_to(tmp_path / "nowhere")
    folder = read(tmp_path, name="m")
    assert folder.other_kinds == {".avif": 2, ".mpg": 1, "without suffix": 1}
    assert folder.left_out() == "1 broken file; files of other kinds: 2 .avif, 1 .mpg, 1 without suffix"
    assert [(item.path.name, item.why) for item in folder.broken] == [
        ("gone", "is a link to a file or folder that is not there")
    ]


def test_an_id_of_two_files_is_named_with_both(tmp_path: Path, animation: Animation) -> None:
    write_layout(tmp_path, animation)
    for split, name in (("train", "a"), ("test", "c")):
        write_rows(tmp_path / split, {"file_name": f"{name}.gif", "text": "x", "id": "7"})
    with pytest.raises(DataError, match=r"the id 'm/7' belongs to two files, test/c.gif and train/a.gif"):
        read(tmp_path, name="m")


def test_hidden_files_are_no_data(tmp_path: Path, animation: Animation) -> None:
    animation(tmp_path / "a.gif", 3)
    animation(tmp_path / "._a.gif", 3)
    animation(tmp_path / ".cache" / "b.gif", 3)
    animation(tmp_path / "__MACOSX" / "c.gif", 3)
    assert [clip.id for clip in read(tmp_path, name="m").clips] == ["m/a"]


def test_progress_counts_files(tmp_path: Path, animation: Animation) -> None:
    for number in range(3):
        animation(tmp_path / f"{number}.gif", 2)
    seen: list[tuple[int, int]] = []
    read(tmp_path, name="m", on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_choosing_is_stable_sorted_and_nested() -> None:
    many = clips(200)
    ten, twenty = (choose(many, split="test", most=most).clips for most in (10, 20))
    assert [clip.id for clip in ten] == sorted(clip.id for clip in ten)
    assert set(ten) < set(twenty)
    assert choose(many[::-1], split="test", most=10).clips == ten
    # a clip more or less moves at most one place: the others stay
    assert len(set(choose(many[1:], split="test", most=10).clips) & set(ten)) >= 9
    assert choose(many, split="train", most=10).clips == ()
    assert len(choose(many, split="test").clips) == 200


def test_every_cluster_has_a_clip_before_any_has_a_second() -> None:
    crowd = [Clip(**{**vars(clip), "cluster": "crowd"}) for clip in clips(200)[:190]]
    loners = clips(200)[190:]
    for most, of_the_crowd in ((11, 1), (15, 5)):
        chosen = choose([*crowd, *loners], split="test", most=most).clips
        assert set(loners) < set(chosen)
        assert len(set(crowd) & set(chosen)) == of_the_crowd
    before = set(choose([*crowd, *loners], split="test", most=15).clips)
    assert all(
        len(before & set(choose([*crowd[:at], *crowd[at + 1 :], *loners], split="test", most=15).clips)) >= 14
        for at in range(len(crowd))
    )


def test_clips_that_share_a_caption_or_a_cluster_are_one_cluster(tmp_path: Path, animation: Animation) -> None:
    told = {"a": ("wave", "hand"), "b": ("Wave", "7"), "c": ("jump", "7"), "d": ("fall", ""), "e": ("fly", "bird")}
    for name in told:
        animation(tmp_path / f"{name}.gif", 3)
    write_rows(tmp_path, *({"file_name": f"{n}.gif", "text": t, "cluster": c} for n, (t, c) in told.items()))
    found = {clip.id: clip.cluster for clip in read(tmp_path, name="m").clips}
    assert found == {"m/a": "jump", "m/b": "jump", "m/c": "jump", "m/d": "fall", "m/e": "fly"}


def test_what_belongs_together_shares_a_split(tmp_path: Path, animation: Animation) -> None:
    rows = [{"file_name": f"{i}.gif", "text": f"version {i}", "cluster": "one drawing"} for i in range(12)]
    for row in rows:
        animation(tmp_path / row["file_name"], 3)
    write_rows(tmp_path, *rows)
    assert len({clip.split for clip in read(tmp_path, name="m").clips}) == 1


def test_the_clustering_is_of_ids_and_clusters_alone() -> None:
    some = clips(3)
    assert clustering(some) == clustering(some[::-1])
    assert clustering([Clip(**{**vars(some[0]), "caption": "other"}), *some[1:]]) == clustering(some)
    moved = [Clip(**{**vars(some[0]), "cluster": "1"}), *some[1:]]
    assert clustering(moved) != clustering(some)
    assert fingerprint(moved) == fingerprint(some)


def test_short_clips_are_left_out_and_counted() -> None:
    some = [*clips(5), *clips(3, num_frames=7), *clips(2, num_frames=2, split="train")]
    chosen = choose(some, split="test", most=100, min_frames=8)
    assert len(chosen.clips) == 5
    assert chosen.left_out_short == 3


def test_the_fingerprint_knows_bytes_and_captions_but_no_order_and_no_path() -> None:
    some = clips(3)
    assert fingerprint(some) == fingerprint(some[::-1])
    moved = [Clip(**{**vars(clip), "path": Path("/elsewhere") / clip.path}) for clip in some]
    assert fingerprint(some) == fingerprint(moved)
    for field in ("id", "sha256", "caption"):
        other = Clip(**{**vars(some[0]), field: "other"})
        assert fingerprint([other, *some[1:]]) != fingerprint(some)


def test_real_stickers_are_read_whole(real_stickers: Path, tmp_path: Path) -> None:
    folder = read(real_stickers, name="asg", cache=tmp_path / "index.parquet")
    assert len(folder.clips) == 1114
    assert not folder.broken
    assert not folder.stills
    assert len(choose(folder.clips, split="test", min_frames=8).clips) >= 50
    by_caption: dict[str, set[str]] = {}
    for clip in folder.clips:
        by_caption.setdefault(clip.caption, set()).add(clip.split)
    assert max(len(splits) for splits in by_caption.values()) == 1
    assert "asg/noto_animated_160/004-grinning" in {clip.id for clip in folder.clips}
    assert read(real_stickers, name="asg", cache=tmp_path / "index.parquet") == folder
