"""The reader and the stand-in against nuscenes-devkit, which is no dependency because it pins NumPy below 2.

To run it, make an environment of its own, without the suite's dependencies, and start pytest from the repository:

    python -m venv devkit && devkit/bin/pip install nuscenes-devkit pytest jaxtyping beartype
    PYTHONPATH=. devkit/bin/python -m pytest tests/data/test_nuscenes_devkit.py
"""

from pathlib import Path
from typing import Any

import pytest

from rdtf_bench.data.reading.nuscenes import splits as nuscenes_splits
from rdtf_bench.data.reading.nuscenes import tables as nuscenes_tables
from rdtf_bench.data.reading.nuscenes.tables import CAMERAS
from rdtf_bench.data.toy import driving
from tests.data.nuscenes_folder import SCENES, VERSION

devkit = pytest.importorskip("nuscenes", reason="needs nuscenes-devkit in an environment of its own")
splits = pytest.importorskip("nuscenes.utils.splits", reason="needs nuscenes-devkit in an environment of its own")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("driving") / "made"
    driving.write(root, SCENES)
    return root


@pytest.fixture(scope="module")
def theirs(root: Path) -> Any:
    return devkit.NuScenes(version=VERSION, dataroot=str(root), verbose=False)


def test_the_official_splits_are_those_of_the_devkit() -> None:
    lists = splits.create_splits_scenes()
    for name in nuscenes_splits.RUNS:
        assert list(nuscenes_splits.official(name)) == lists[name], name


def test_both_read_the_same_frames_at_the_same_times(root: Path, theirs: Any) -> None:
    ours: dict[tuple[str, str], list[tuple[str, int, bool, Path]]] = {}
    for frame in nuscenes_tables.frames(root / VERSION):
        row = (frame.token, frame.timestamp_us, frame.is_key, root / frame.file_name)
        ours.setdefault((frame.scene, frame.camera), []).append(row)
    assert len(ours) == len(SCENES) * len(CAMERAS)
    for scene in theirs.scene:
        first = theirs.get("sample", scene["first_sample_token"])
        for camera in CAMERAS:
            token, expected = first["data"][camera], []
            while token:
                row = theirs.get("sample_data", token)
                path = Path(theirs.get_sample_data_path(token))
                expected.append((token, row["timestamp"], row["is_key_frame"], path))
                token = row["next"]
            assert ours[scene["name"], camera] == expected
            assert len(expected) in (25, 24, 13, 12)
            assert all(path.is_file() for *_, path in expected)


def test_the_devkit_finds_poses_and_calibration_of_every_frame(theirs: Any) -> None:
    for row in theirs.sample_data:
        assert theirs.get("ego_pose", row["ego_pose_token"])["timestamp"] == row["timestamp"]
        sensor = theirs.get("calibrated_sensor", row["calibrated_sensor_token"])["sensor_token"]
        assert theirs.get("sensor", sensor)["channel"] == row["channel"]
    path, boxes, intrinsic = theirs.get_sample_data(theirs.sample[0]["data"]["CAM_FRONT"])
    assert (Path(path).is_file(), boxes, intrinsic.shape) == (True, [], (3, 3))


def test_own_splits_are_read_as_the_devkit_reads_them(root: Path, theirs: Any) -> None:
    (root / VERSION / "splits.json").write_text('{"validation": ["scene-0001"], "train": [], "test": []}')
    by_scene, _ = nuscenes_splits.read(root / VERSION, list(SCENES))
    assert list(by_scene) == splits.get_scenes_of_split("validation", theirs)
