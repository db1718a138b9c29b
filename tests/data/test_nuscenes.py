import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rdtf_bench.core.errors import DataError, ProtocolError
from rdtf_bench.data import nuscenes
from rdtf_bench.data.reading.folders.folder import Folder
from rdtf_bench.data.reading.nuscenes import splits as nuscenes_splits
from rdtf_bench.data.toy import driving
from tests.data.nuscenes_folder import SCENES, TEST, TRAIN, VALIDATION, VERSION, Rows, change, write


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path / "nuscenes")


def numbers(folder: Folder, scene: str, camera: str) -> list[int]:
    """The numbers of the first frames of the windows."""
    found = [clip.id.split("/") for clip in folder.clips]
    return [int(first) for _, at, by, first in found if (at, by) == (scene, camera)]


def test_windows_are_eight_frames_in_a_row_of_one_scene_and_camera(folder: Path) -> None:
    found = nuscenes.read(folder, name="nuscenes")
    shots = [shot for shot in driving.shots(SCENES) if (shot.scene, shot.camera) == (TRAIN, "CAM_BACK")]
    clips = [clip for clip in found.clips if clip.id.startswith(f"nuscenes/{TRAIN}/CAM_BACK/")]
    assert [clip.id.split("/")[-1] for clip in clips] == ["000", "008", "016"]
    assert [path for clip in clips for path in clip.frames] == [folder / shot.file_name for shot in shots[:24]]
    assert {(clip.num_frames, clip.caption, clip.cluster, clip.split) for clip in clips} == {(8, "", TRAIN, "train")}
    assert (found.captions_from, found.broken, found.root) == ("none", (), folder)


def test_frames_are_sorted_by_time_whatever_the_order_of_the_tables(folder: Path) -> None:
    expected = nuscenes.read(folder).clips
    change(folder, "sample_data", lambda rows: rows.reverse())
    assert nuscenes.read(folder).clips == expected


def test_no_window_crosses_the_frame_that_one_camera_dropped(folder: Path) -> None:
    found = nuscenes.read(folder)
    # of 25 and of 13 frames, frame 4 is absent: 0-3 are too few, and from there on the numbers are those of the rows
    assert numbers(found, TRAIN, "CAM_FRONT") == [4, 12]
    assert numbers(found, VALIDATION, "CAM_FRONT_RIGHT") == [4]
    assert found.counts() == {"train": 17, "validation": 6, "test": 6}
    assert found.left_out() == "gaps between the frames of a camera: 3"


def test_steps_of_50_and_100_ms_are_regular_and_150_ms_are_a_gap(folder: Path) -> None:
    def delay(by_us: int) -> list[int]:
        def edit(rows: Rows) -> None:
            for row in rows:
                if "__CAM_BACK__" in row["filename"] and row["timestamp"] >= after:
                    row["timestamp"] += by_us

        change(folder, "sample_data", edit)
        return numbers(nuscenes.read(folder), TEST, "CAM_BACK")

    # frame 3 of the last scene, 50 ms after frame 2
    shots = [shot for shot in driving.shots(SCENES) if (shot.scene, shot.camera) == (TEST, "CAM_BACK")]
    after = shots[3].timestamp_us
    assert shots[3].timestamp_us - shots[2].timestamp_us == 50_000
    assert delay(50_000) == [0]
    assert delay(50_000) == [3]


def test_a_window_never_crosses_a_file_that_is_not_there(folder: Path) -> None:
    whole = nuscenes.read(folder)
    gone = whole.clips[0].frames[2]
    gone.unlink()
    found = nuscenes.read(folder)
    assert numbers(found, TRAIN, "CAM_BACK") == [3, 11]
    assert [broken.path for broken in found.broken] == [gone]
    with pytest.raises(DataError, match=r"1 file cannot be used:\n.*is not there; sample_data.json names it"):
        found.require_unbroken(skip_broken=False)


def test_absent_files_are_counted_and_the_first_five_are_named(folder: Path) -> None:
    gone = nuscenes.read(folder).clips[0].frames[:7]
    for path in gone:
        path.unlink()
    with pytest.raises(DataError, match="7 files cannot be used") as fault:
        nuscenes.read(folder).require_unbroken(skip_broken=False)
    assert [str(path) in str(fault.value) for path in gone] == [True] * 5 + [False] * 2


def test_a_scene_without_any_file_is_named_once(folder: Path) -> None:
    for shot in driving.shots(SCENES):
        if shot.scene == TEST:
            (folder / shot.file_name).unlink()
    found = nuscenes.read(folder)
    # six cameras of 13 frames, of which one camera dropped one
    assert [broken.why for broken in found.broken] == [f"is not there, and neither is any of the 77 files of {TEST}"]
    assert found.counts() == {"train": 17, "validation": 6, "test": 0}


def test_options_choose_cameras_stride_and_key_frames(folder: Path) -> None:
    front = nuscenes.read(folder, cameras=("CAM_BACK",), stride=1)
    assert numbers(front, TRAIN, "CAM_BACK") == list(range(18))
    assert {clip.id.split("/")[2] for clip in front.clips} == {"CAM_BACK"}
    with pytest.raises(DataError, match="no camera has 8 frames in a row with steps of at most 750 ms"):
        nuscenes.read(folder, keyframes_only=True)
    keys = write(folder.parent / "long", {TRAIN: 9})
    found = nuscenes.read(keys, keyframes_only=True)
    assert numbers(found, TRAIN, "CAM_BACK") == [0]
    assert {path.parts[-3] for clip in found.clips for path in clip.frames} == {"samples"}


def test_wrong_options_are_refused(folder: Path) -> None:
    with pytest.raises(ProtocolError, match=r"there is no camera 'CAM_TOP'. Known: CAM_FRONT, "):
        nuscenes.read(folder, cameras=("CAM_TOP",))
    for cameras, stride in (((), 8), (("CAM_FRONT",), 0)):
        with pytest.raises(ProtocolError, match="at least one camera, and a stride of at least 1"):
            nuscenes.read(folder, cameras=cameras, stride=stride)


def test_the_hash_of_a_clip_is_that_of_tokens_and_file_names(folder: Path) -> None:
    before = nuscenes.read(folder).clips
    before[0].frames[0].write_bytes(b"other bytes")
    assert nuscenes.read(folder).clips == before
    used = before[0].frames[0].name

    def rename(rows: Rows) -> None:
        next(row for row in rows if row["filename"].endswith(used))["token"] = "other"

    change(folder, "sample_data", rename)
    after = nuscenes.read(folder).clips
    changed = [old.id for old, new in zip(before, after, strict=True) if old.sha256 != new.sha256]
    assert changed == [before[0].id]
    assert len({clip.sha256 for clip in before}) == len(before)


def test_a_second_version_has_to_be_named(folder: Path) -> None:
    write(folder / "mini", {"scene-0061": 5, "scene-0103": 3, "scene-0916": 3}, version="v1.0-mini")
    (folder / "mini" / "v1.0-mini").rename(folder / "v1.0-mini")
    with pytest.raises(DataError, match=r"holds v1.0-trainval and v1.0-mini. Name the folder of one of them, such as "):
        nuscenes.read(folder)
    assert nuscenes.read(folder / VERSION).counts() == {"train": 17, "validation": 6, "test": 6}


def test_the_mini_version_is_found_and_has_its_own_splits(tmp_path: Path) -> None:
    scenes = [*nuscenes_splits.official("mini_train"), *nuscenes_splits.official("mini_val")]
    root = write(tmp_path, dict.fromkeys(scenes, 3), version="v1.0-mini")
    found = nuscenes.read(root)
    of_split = {split: {clip.cluster for clip in found.clips if clip.split == split} for split in found.counts()}
    assert of_split["test"] == {"scene-0103", "scene-0916"}
    assert "scene-0553" in of_split["train"]  # it is in the validation split of the full data
    assert [len(members) for members in of_split.values()] == [7, 1, 2]
    assert found.split_from == "official mini_train without one scene for validation; mini_val as test"


def test_without_a_window_the_files_that_are_absent_are_named(folder: Path) -> None:
    shutil.rmtree(folder / "sweeps")
    found = nuscenes.read(folder)
    assert (found.clips, len(found.broken)) == ((), 237)
    with pytest.raises(DataError, match=r"237 files cannot be used:\n.*sweeps/CAM_BACK"):
        found.require_unbroken(skip_broken=False)


def test_folders_that_are_not_nuscenes_are_told_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no such folder"):
        nuscenes.read(tmp_path / "nowhere")
    (tmp_path / "v1.0-test").mkdir()
    (tmp_path / "cats").mkdir()
    with pytest.raises(
        DataError, match=r"is not nuScenes: it holds neither v1.0-trainval nor v1.0-mini, but cats, v1.0"
    ):
        nuscenes.read(tmp_path)


def test_a_camera_that_is_absent_is_named(folder: Path) -> None:
    def without_back(rows: Rows) -> None:
        rows[:] = [row for row in rows if "__CAM_BACK__" not in row["filename"]]

    change(folder, "sample_data", without_back)
    with pytest.raises(DataError, match=rf"cameras without a frame in a scene: 3\n  {TRAIN}: CAM_BACK\n"):
        nuscenes.read(folder)
    assert nuscenes.read(folder, cameras=("CAM_FRONT",)).clips


def test_other_sensors_are_ignored(folder: Path) -> None:
    expected = nuscenes.read(folder).clips
    change(folder, "sensor", lambda rows: rows.append({"token": "s", "channel": "LIDAR_TOP", "modality": "lidar"}))
    change(folder, "calibrated_sensor", lambda rows: rows.append({"token": "c", "sensor_token": "s"}))

    def add(rows: Rows) -> None:
        rows.append({**rows[0], "token": "l", "calibrated_sensor_token": "c", "filename": "sweeps/LIDAR_TOP/a.pcd.bin"})

    change(folder, "sample_data", add)
    assert nuscenes.read(folder).clips == expected


def test_own_splits_leave_out_other_scenes(folder: Path) -> None:
    own = {"train": [TEST], "validation": [VALIDATION], "test": [TRAIN], "of_somebody_else": ["scene-9999"]}
    (folder / VERSION / "splits.json").write_text(json.dumps(own))
    assert {clip.cluster: clip.split for clip in nuscenes.read(folder).clips} == {
        TEST: "train",
        VALIDATION: "validation",
        TRAIN: "test",
    }
    (folder / VERSION / "splits.json").write_text(json.dumps({**own, "validation": []}))
    found = nuscenes.read(folder)
    assert {clip.cluster for clip in found.clips} == {TRAIN, TEST}
    assert found.split_from == "splits.json, 2 of 3 scenes"


def test_the_frames_are_kept_in_one_file_until_a_table_changes(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "indexes"
    seen: list[tuple[int, int]] = []
    first = nuscenes.read(folder, cache=cache, on_progress=lambda *done: seen.append(done))
    assert seen == [(done, 5) for done in range(1, 6)]
    assert [path.suffix for path in cache.iterdir()] == [".parquet"]
    assert nuscenes.read(folder, cache=cache, on_progress=lambda *done: seen.append(done)) == first
    assert len(seen) == 5  # no table was read
    first.clips[0].frames[0].unlink()
    assert len(nuscenes.read(folder, cache=cache).broken) == 1  # files are looked for each time


def test_the_builtin_set_is_known_without_writing_it() -> None:
    found = nuscenes.builtin()
    assert dict(found.counts) == {"train": 680, "validation": 144, "test": 144}
    assert found.fingerprint.startswith("toy-driving-")
    assert sum(1 for scene in nuscenes.stand_in_scenes()) == 40 + 24 + 24


def test_without_a_source_the_stand_in_is_written_into_the_store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nuscenes, "STAND_IN", {"train": (1, 3), "validation": (0, 3), "test": (0, 3)})
    monkeypatch.setattr(driving, "write", write)
    nuscenes.builtin.cache_clear()
    try:
        root = nuscenes.prepare(None, store=tmp_path)
        assert root == tmp_path / "data" / nuscenes.builtin().fingerprint
        assert {**nuscenes.builtin().counts} == {"train": 6}
        assert nuscenes.read(root).counts() == {"train": 6, "validation": 0, "test": 0}
    finally:
        nuscenes.builtin.cache_clear()
    assert nuscenes.prepare("some/where", store=tmp_path) == Path("some/where")


def test_listing_data_needs_no_torch() -> None:
    heavy = "{'torch', 'mlflow', 'pandas', 'pyarrow', 'scipy', 'sklearn', 'matplotlib', 'diffusers', 'av'}"
    code = f"import sys, rdtf_bench.data.nuscenes; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
