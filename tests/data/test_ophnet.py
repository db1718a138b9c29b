import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from rdtf_bench.core.errors import DataError
from rdtf_bench.data import ophnet
from rdtf_bench.data.reading.clips import clip_frames
from rdtf_bench.data.reading.folders.folder import Folder
from rdtf_bench.data.toy import surgery
from tests.data.videos import write_video

HEADER = "video_id,start,end,split,surgery_id,phase_id,operation_id"
ALL = "OphNet2024_loca_all.csv"
TRIMMED = "OphNet2024_loca_challenge_trimmed.csv"
Write = Callable[..., Path]


def table(path: Path, rows: Sequence[str], header: str = HEADER) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\r\n".join([header, *rows, ""]), encoding="utf-8-sig", newline="")
    return path


def video(path: Path, num_frames: int = 40) -> Path:
    """Write frames whose grey level tells their number, ten a second."""
    return write_video(path, [np.full((8, 8, 3), 3 * number, np.uint8) for number in range(num_frames)])


def row(number: int, start: float, end: float, split: str = "val") -> str:
    return f"case_{number:04d},{start:g},{end:g},{split},0,6,8"


def firsts(folder: Folder) -> dict[str, list[int]]:
    """Return where the windows of each file begin."""
    found: dict[str, list[int]] = {}
    for clip in folder.clips:
        assert clip.window is not None
        found.setdefault(clip.path.stem, []).append(clip.window[0])
    return found


def test_windows_lie_inside_annotated_segments_and_show_their_frames(tmp_path: Path) -> None:
    video(tmp_path / "deep" / "OphNet2024_all" / "case_0002.mp4")
    table(tmp_path / "annotation" / ALL, [row(2, 0.33, 1.35), row(2, 1.9, 3.6)])
    folder = ophnet.read(tmp_path)
    assert firsts(folder) == {"case_0002": [4, 19, 27]}  # from the first frame at or behind 0.33 s; 4..13, 19..35
    clip = folder.clips[1]
    assert (clip.id, clip.cluster, clip.num_frames) == ("ophnet/case_0002/000019", "case_0002", 8)
    levels = clip_frames(clip, num_frames=8, size_px=8)[:, 0, 0, 0]
    assert levels.tolist() == [3 * number for number in range(19, 27)]


def test_a_frame_is_in_one_clip_where_segments_overlap(tmp_path: Path) -> None:
    video(tmp_path / "case_0002.mp4")
    table(tmp_path / ALL, [row(2, 1.0, 3.0), row(2, 0, 1.2), row(2, 1.5, 2.5), row(2, 2.2, 4.0)])
    folder = ophnet.read(tmp_path)
    # 0..11 gives one window; 10..29 begins behind it; 15..24 lies inside of that; 22..39 begins behind it
    assert firsts(folder) == {"case_0002": [0, 12, 20, 30]}
    assert folder.notes == {"annotated segments with less than 8 frames of their own": 1}


def test_time_stamps_decide_where_a_segment_begins(tmp_path: Path) -> None:
    import av

    path = tmp_path / "case_0002.mp4"
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.height, stream.width, stream.pix_fmt = 16, 16, "yuv420p"
        for number in range(40):
            frame = av.VideoFrame.from_ndarray(np.full((16, 16, 3), number, np.uint8), "rgb24")
            frame.pts = number if number < 20 else 2 * number - 20  # five frames a second from 2 s on
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    table(tmp_path / ALL, [row(2, 3.0, 4.6)])
    folder = ophnet.read(tmp_path)
    assert firsts(folder) == {"case_0002": [25]}
    assert folder.num_uneven == 1


def test_a_segment_that_ends_after_its_video_is_cut_and_counted(tmp_path: Path) -> None:
    video(tmp_path / "case_0002.mp4", 20)
    table(tmp_path / ALL, [row(2, 0, 2), row(2, 2, 9), row(2, 50, 60)])
    folder = ophnet.read(tmp_path)
    assert firsts(folder) == {"case_0002": [0, 8]}
    assert folder.notes == {
        "annotated segments that end after their video": 2,
        "annotated segments with less than 8 frames of their own": 2,
    }


@pytest.fixture
def trimmed(tmp_path: Path) -> Path:
    """A folder of trimmed operations and phases, whose files have the same names."""
    rows = []
    for number, (start, end) in enumerate([(0, 1), (0.8, 2.8), (5, 5.4)]):
        name = f"OphNet2024_trimmed_operation/case_0002/case_0002_{number}.mp4"
        video(tmp_path / name, round(10 * (end - start)))
        rows.append(f"case_0002,{start},{end},val,0,6,8,./{name}")
    table(tmp_path / "OphNet2024_trimmed_operation" / TRIMMED, rows, f"{HEADER},segment_path")
    return tmp_path


def test_trimmed_segments_are_read_and_give_no_frame_of_the_video_twice(trimmed: Path) -> None:
    video(trimmed / "OphNet2024_trimmed_phase" / "case_0002" / "case_0002_0.mp4")
    folder = ophnet.read(trimmed)
    assert firsts(folder) == {"case_0002_0": [0], "case_0002_1": [2, 10]}  # its first 0.2 s are in the one before
    assert {clip.cluster for clip in folder.clips} == {"case_0002"}
    assert folder.split_from.startswith(TRIMMED)
    assert [path.parts[-3] for path in folder.uncaptioned] == ["OphNet2024_trimmed_phase"]
    assert not folder.broken
    assert folder.notes == {"annotated segments with less than 8 frames of their own": 1}


def test_trimmed_segments_without_their_table_are_a_clear_error(trimmed: Path) -> None:
    (trimmed / "OphNet2024_trimmed_operation" / TRIMMED).unlink()
    table(trimmed / ALL, [row(2, 0, 1)])
    with pytest.raises(DataError, match=rf"none of the videos is there(.|\n)*names case_0002.mp4(.|\n)*need {TRIMMED}"):
        ophnet.read(trimmed)


def test_the_whole_videos_come_before_trimmed_segments(trimmed: Path) -> None:
    video(trimmed / "case_0002.mp4", 40)
    table(trimmed / ALL, [row(2, 0, 1)])
    table(trimmed / "OphNet2024_loca_challenge.csv", [row(2, 0, 4)])
    folder = ophnet.read(trimmed)
    assert firsts(folder) == {"case_0002": [0]}
    assert folder.split_from.startswith(ALL)


def test_splits_share_no_video_and_stay_as_more_videos_are_downloaded(tmp_path: Path) -> None:
    rows = [row(number, 0, 2, "val") for number in range(6)]
    rows += [row(6, 0, 2, "train"), row(7, 0, 2, "test"), row(8, 0, 2, "train")]
    table(tmp_path / ALL, rows)
    found: dict[str, str] = {}
    for count in (5, 8):
        for number in range(count):
            if not (tmp_path / f"case_{number:04d}.mp4").exists():
                video(tmp_path / f"case_{number:04d}.mp4", 20)
        folder = ophnet.read(tmp_path, cache=tmp_path / "cache")
        now = {clip.cluster: clip.split for clip in folder.clips}
        assert found.items() <= now.items()
        assert folder.notes == {"annotated videos that are not there": 9 - count}
        assert f"annotated videos that are not there: {9 - count}" in folder.left_out()
        found = now
    assert [found["case_0006"], found["case_0007"]] == ["train", "train"]
    held_out = [found[f"case_{number:04d}"] for number in range(6)]
    assert sorted(held_out) == ["test"] * 3 + ["validation"] * 3
    assert "of 3 videos of its split val for test, as many of 3 others for validation" in folder.split_from


def test_test_clips_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ophnet, "HELD_OUT_CLIPS", 2)
    video(tmp_path / "case_0001.mp4", 80)
    video(tmp_path / "case_0002.mp4", 80)
    table(tmp_path / ALL, [row(1, 0, 8), row(2, 0, 8, "train")])
    folder = ophnet.read(tmp_path)
    assert folder.counts() == {"train": 10, "validation": 0, "test": 2}
    assert firsts(folder)["case_0001"] != [0, 8]


def test_where_no_test_video_can_be_used_the_broken_ones_are_named(tmp_path: Path) -> None:
    path = video(tmp_path / "case_0001.mp4")
    path.write_bytes(path.read_bytes()[:-1])
    table(tmp_path / ALL, [row(1, 0, 1)])
    with pytest.raises(DataError, match=r"case_0001.mp4: the file is cut off"):
        ophnet.read(tmp_path).require_unbroken(skip_broken=False)


def test_without_a_test_video_it_is_said_which_are_needed(tmp_path: Path) -> None:
    video(tmp_path / "case_0002.mp4")
    table(tmp_path / ALL, [row(1, 0, 1), row(2, 0, 1, "train")])
    with pytest.raises(
        DataError, match=rf"no clip for test. .* 1 videos that {ALL} .* val:\n  case_0001.mp4\nDownload"
    ):
        ophnet.read(tmp_path)


def test_broken_and_short_videos_and_rows_are_listed(tmp_path: Path) -> None:
    for number, num_frames in ((1, 20), (2, 20), (3, 5), (4, 20)):
        video(tmp_path / f"case_{number:04d}.mp4", num_frames)
    data = (tmp_path / "case_0002.mp4").read_bytes()
    (tmp_path / "case_0002.mp4").write_bytes(data[:-100])
    rows = [row(number, 0, 2, "train") for number in (1, 2, 3)]
    rows += [row(4, 0, 1), row(4, 2, 1), row(4, -1, 1), "case_0004,0,end,val,0,6,8", "case_0004,0,nan,val,0,6,8"]
    table(tmp_path / ALL, rows)
    folder = ophnet.read(tmp_path)
    assert firsts(folder) == {"case_0001": [0, 8], "case_0004": [0]}
    assert [(item.path.name, item.why.partition(" bytes")[0]) for item in folder.broken] == [
        (ALL, "line 6: ends at 1 s, not after its start at 2 s"),
        (ALL, "line 7: start -1 or end 1 is no time of a video"),
        (ALL, "line 8: start '0' or end 'end' is no number of seconds"),
        (ALL, "line 9: start 0 or end nan is no time of a video"),
        ("case_0002.mp4", f"the file is cut off: {len(data) - 100:,} of {len(data):,}"),
        ("case_0003.mp4", "has 5 frames, and a clip needs 8"),
    ]
    with pytest.raises(DataError, match="--skip-broken"):
        folder.require_unbroken(skip_broken=False)


@pytest.mark.parametrize(
    ("header", "rows", "message"),
    [
        ("video,start,end", ["case_0002,0,1"], "lacks the columns video_id, split. It has video, start, end"),
        ("", [], "lacks the columns video_id, start, end, split. It has none"),
        (HEADER, [row(2, 0, 1, "dev")], r"whose split is none of train, val, test: 1\n  line 2: video 'case_0002'"),
        (HEADER, ["case_0002,0"], "rows that lack a value"),
        (HEADER, [row(2, 0, 1), row(2, 1, 2, "train")], r"rows in several splits: 1\n  case_0002: train, val"),
    ],
)
def test_annotations_that_cannot_be_understood_are_one_clear_error(
    header: str, rows: list[str], message: str, tmp_path: Path
) -> None:
    video(tmp_path / "case_0002.mp4", 8)
    table(tmp_path / ALL, rows, header)
    with pytest.raises(DataError, match=message):
        ophnet.read(tmp_path)


def test_folders_without_videos_or_annotations_are_clear_errors(tmp_path: Path) -> None:
    (tmp_path / "OphNet2024_all.tar.gz.00").write_bytes(b"0")
    with pytest.raises(DataError, match=r"holds no video such as case_0002.mp4. Files of other kinds: 1 .00. Get them"):
        ophnet.read(tmp_path)
    video(tmp_path / "a" / "case_0002.mp4", 8)
    with pytest.raises(DataError, match=f"holds no annotations, that is none of {ALL}"):
        ophnet.read(tmp_path)
    table(tmp_path / ALL, [row(2, 0, 1)])
    video(tmp_path / "b" / "case_0002.mp4", 8)
    with pytest.raises(DataError, match=r"twice: 1\n  a/case_0002.mp4 and b/case_0002.mp4\nRemove one"):
        ophnet.read(tmp_path)
    table(tmp_path / "b" / ALL, [row(2, 0, 2)])
    with pytest.raises(DataError, match=f"twice, with different content: {ALL} and b/{ALL}"):
        ophnet.read(tmp_path)


def test_the_fingerprint_follows_the_bytes_of_a_video_and_the_window(tmp_path: Path) -> None:
    video(tmp_path / "case_0002.mp4")
    table(tmp_path / ALL, [row(2, 0, 1.6)])
    first, second = ophnet.read(tmp_path).clips
    assert first.sha256 != second.sha256
    before = ophnet.fingerprint([first, second])
    video(tmp_path / "case_0002.mp4", 39)
    assert ophnet.fingerprint(ophnet.read(tmp_path).clips) != before


def test_the_stand_in_is_read_as_the_dataset_and_has_the_counts_that_are_known_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surgery, "DURATIONS_S", (0.8, 0.9))
    small = surgery.plans((("train", 1), ("val", 2), ("test", 1)))
    monkeypatch.setattr(surgery, "plans", lambda *_: small)
    root = ophnet.prepare(None, store=tmp_path)
    assert root == tmp_path / "data" / ophnet.builtin().fingerprint
    folder = ophnet.read(root, cache=tmp_path / "indexes")
    assert folder.counts() == dict(ophnet.builtin().counts)
    assert {clip.split: clip.cluster for clip in folder.clips}.keys() == {"train", "validation", "test"}
    assert not folder.broken
    assert not folder.notes
    monkeypatch.setattr(surgery, "_write_video", None)
    assert ophnet.prepare(None, store=tmp_path) == root


def test_the_stand_in_is_large_enough_for_the_scale_tiny() -> None:
    made = ophnet.builtin()
    assert made.counts["train"] >= 640
    assert min(made.counts["validation"], made.counts["test"]) >= 128
    assert made.fingerprint.startswith("toy-ophnet-")
    videos = surgery.VIDEOS
    assert videos["val"] >= 48
    assert videos["train"] >= 60


def test_any_other_source_is_a_folder(tmp_path: Path) -> None:
    assert ophnet.prepare("some/where", store=tmp_path) == Path("some/where")


def test_listing_data_needs_no_torch() -> None:
    heavy = "{'torch', 'av', 'pandas', 'pyarrow', 'sklearn'}"
    code = f"import sys; from rdtf_bench.data import ophnet; ophnet.builtin(); print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
