import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from rdtf_bench.core.errors import DataError
from rdtf_bench.data import asg
from rdtf_bench.data.reading.folders import vsd2m

Animation = Callable[..., Path]


def row(name: str, **more: object) -> dict[str, object]:
    """A row as the released index has it; the paths are those of another machine."""
    given = {
        "md5": f"md5-{name}",
        "fmt": "gif",
        "visual_path": f"/mnt/data/vsd2m/gif/{name}.gif",
        "nframes": 8,
        "keyframe_idx": [0, 3, 5],
        "eng_cap": f"a {name} that waves",
        "llava_wx_chn_cap": "挥手",
        "meanings": "Hello",
    }
    return given | more


def write(path: Path, *rows: Mapping[str, object]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def test_captions_ids_and_key_frames_come_from_the_index_under_any_name(tmp_path: Path, animation: Animation) -> None:
    for name in ("cat", "dog"):
        animation(tmp_path / "unpacked" / "gif" / f"{name}.gif")
    write(tmp_path / "alldata_240722.json", row("cat"), row("dog", keyframe_idx=None, md5=None))
    folder = asg.read(tmp_path)
    assert [(clip.id, clip.caption, clip.keyframes) for clip in folder.clips] == [
        ("asg/md5-cat", "a cat that waves", (0, 3, 5)),
        ("asg/unpacked/gif/dog", "a dog that waves", ()),
    ]
    assert folder.captions_from == "alldata_240722.json"
    assert folder.left_out() == ""


def test_rows_without_a_file_or_a_caption_and_of_other_kinds_are_counted(tmp_path: Path, animation: Animation) -> None:
    for name in ("cat", "mute"):
        animation(tmp_path / f"{name}.gif")
    write(
        tmp_path / "metadata.jsonl",
        row("cat"),
        row("absent"),
        row("mute", eng_cap=""),
        row("photo", fmt="jpg", visual_path="photo.jpg"),
    )
    folder = asg.read(tmp_path)
    assert [clip.id for clip in folder.clips] == ["asg/md5-cat"]
    assert folder.notes == {vsd2m.NOT_THERE: 1, vsd2m.UNCAPTIONED: 1, vsd2m.OTHER_KINDS: 1}
    assert [path.name for path in folder.uncaptioned] == ["mute.gif"]
    assert "rows of the index whose file is not there: 1" in folder.left_out()


def test_files_of_one_name_are_told_apart_by_the_ends_of_their_paths(tmp_path: Path, animation: Animation) -> None:
    for place in ("real/0", "cartoon/0", "cartoon/other/0"):
        animation(tmp_path / f"{place}.gif")
    index = write(tmp_path / "index.jsonl", row("x", visual_path="D:\\vsd2m\\cartoon\\0.gif"))
    (clip,) = asg.read(tmp_path).clips
    assert clip.path == tmp_path / "cartoon" / "0.gif"
    write(index, row("x", visual_path="elsewhere/0.gif"))
    with pytest.raises(DataError, match=r"index\.jsonl:1: elsewhere/0\.gif may be .* Keep one of the files"):
        asg.read(tmp_path)


def test_a_row_whose_key_frame_the_file_lacks_is_broken(tmp_path: Path, animation: Animation) -> None:
    for name in ("cat", "dog"):
        animation(tmp_path / f"{name}.gif")
    index = write(tmp_path / "index.jsonl", row("cat", keyframe_idx=[7]), row("dog", keyframe_idx=[1, 8]))
    folder = asg.read(tmp_path)
    assert [clip.id for clip in folder.clips] == ["asg/md5-cat"]
    assert [(found.path.name, found.why) for found in folder.broken] == [
        ("dog.gif", f"has 8 frames, and {index}:2 names its frame 8")
    ]


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([row("cat"), row("cat", visual_path="dog.gif")], r"index\.json:2: id 'md5-cat' is already used at .*:1"),
        ([row("cat"), row("cat", md5="other")], r"index\.json:2: names cat\.gif, and so does .*:1"),
        ([row("cat"), {"visual_path": 7}], r"index\.json:2: visual_path must be the path of a file, not 7"),
        ([row("cat", keyframe_idx="0")], r"index\.json:1: keyframe_idx must be a list of frame numbers from 0 on"),
        ([row("absent")], r"names no file that is there .*is not there: 1\)(.|\n)*Put the files below"),
    ],
)
def test_a_wrong_row_is_named(rows: list[dict[str, object]], says: str, tmp_path: Path, animation: Animation) -> None:
    for name in ("cat", "dog"):
        animation(tmp_path / f"{name}.gif")
    write(tmp_path / "index.json", *rows)
    with pytest.raises(DataError, match=says):
        asg.read(tmp_path)


def test_other_json_is_no_index(tmp_path: Path, animation: Animation) -> None:
    animation(tmp_path / "cat.gif")
    (tmp_path / "config.json").write_text('{\n "a": 1}')
    (tmp_path / "deep").mkdir()
    write(tmp_path / "deep" / "index.json", row("cat"))
    folder = asg.read(tmp_path)
    assert folder.captions_from == "file names"
    assert folder.other_kinds == {".json": 2}


def test_key_frames_are_part_of_the_fingerprint(tmp_path: Path, animation: Animation) -> None:
    animation(tmp_path / "cat.gif")
    found = []
    for keyframes in ([0, 3], [0, 4], None):
        write(tmp_path / "index.jsonl", row("cat", keyframe_idx=keyframes))
        found.append(asg.fingerprint(asg.read(tmp_path).clips))
    assert len(set(found)) == 3
