import json
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rdtf_bench.data.toy import driving, street_view
from rdtf_bench.data.toy.street import Car, street

SCENES = {"scene-0001": 2, "scene-0003": 2}


def test_the_folder_holds_all_tables_and_exactly_the_files_that_they_name(tmp_path: Path) -> None:
    root = tmp_path / "made"
    driving.write(root, {"scene-0001": 2})
    tables = {path.stem: json.loads(path.read_text()) for path in (root / "v1.0-trainval").iterdir()}
    assert len(tables) == 13
    named = [row["filename"] for row in tables["sample_data"]]
    assert sorted(named) == sorted(str(path.relative_to(root)) for path in root.rglob("*.jpg"))
    assert len(named) == 6 * 7 - 1
    assert (root / tables["map"][0]["filename"]).is_file()
    with Image.open(root / named[0]) as picture:
        assert (picture.format, picture.size) == ("JPEG", (160, 90))
    written = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    driving.write(root, {"scene-0001": 2})
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == written


def test_frames_are_chained_and_belong_to_the_key_frame_that_follows() -> None:
    tables = driving.tables(SCENES)
    rows = {row["token"]: row for row in tables["sample_data"]}
    samples = {row["token"]: row for row in tables["sample"]}
    firsts = [row for row in rows.values() if not row["prev"]]
    assert len(firsts) == len(SCENES) * 6
    for row in firsts:
        chain = [row]
        while chain[-1]["next"]:
            chain.append(rows[chain[-1]["next"]])
        assert [follower["prev"] for follower in chain[1:]] == [before["token"] for before in chain[:-1]]
        assert chain[0]["is_key_frame"]
        assert chain[-1]["is_key_frame"]
        for shot in chain:
            key = samples[shot["sample_token"]]
            assert shot["is_key_frame"] == shot["filename"].startswith("samples/")
            # a camera is triggered up to 49 ms after the sample's time
            assert shot["timestamp"] - key["timestamp"] <= 49_000
            assert key["timestamp"] - shot["timestamp"] < 500_000
    for scene in tables["scene"]:
        assert samples[scene["first_sample_token"]]["next"] == scene["last_sample_token"]


def test_time_passes_in_steps_of_50_and_100_ms_and_one_camera_of_a_scene_drops_a_frame() -> None:
    lengths = {}
    for scene, camera in {(shot.scene, shot.camera) for shot in driving.shots(SCENES)}:
        times = [shot.timestamp_us for shot in driving.shots(SCENES) if (shot.scene, shot.camera) == (scene, camera)]
        lengths[scene, camera] = len(times)
        assert set(np.diff(times)) <= {50_000, 100_000, 200_000}
    assert sorted(key for key, count in lengths.items() if count == 6) == [
        ("scene-0001", "CAM_FRONT"),
        ("scene-0003", "CAM_FRONT_RIGHT"),
    ]


def test_the_fingerprint_depends_on_the_scenes() -> None:
    assert driving.fingerprint(SCENES) == driving.fingerprint(dict(SCENES))
    assert driving.fingerprint(SCENES) != driving.fingerprint({**SCENES, "scene-0003": 3})


@pytest.mark.parametrize("name", ["CAM_FRONT", "CAM_BACK", "CAM_BACK_LEFT"])
def test_the_rotation_of_a_camera_is_that_of_its_axis(name: str) -> None:
    row = next(row for row in driving.tables(SCENES)["calibrated_sensor"] if row["token"] == _sensor(name))
    w, x, y, z = row["rotation"]
    assert math.isclose(w * w + x * x + y * y + z * z, 1)
    # the third axis of a camera, ahead, in the axes of the car: the third column of the rotation matrix
    ahead = (2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y))
    yaw = math.radians(street_view.CAMERAS[name].yaw_deg)
    assert np.allclose(ahead, (math.cos(yaw), math.sin(yaw), 0), atol=1e-9)


def _sensor(name: str) -> str:
    shot = next(row for row in driving.tables(SCENES)["sample_data"] if f"__{name}__" in row["filename"])
    return str(shot["calibrated_sensor_token"])


def test_a_turning_car_keeps_its_speed_and_follows_a_circle() -> None:
    car = Car(
        x=0.0, y=0.0, heading=0.0, speed=6.0, colour=(0.0, 0.0, 0.0), length=4.0, height=1.5, turn_rate=1.0,
        turns_at_s=0.5,
    )  # fmt: skip
    assert car.at(0.5) == (3.0, 0.0, 0.0)
    x, y, heading = car.at(0.5 + math.pi / 2)  # a quarter of a circle with a radius of 6 m, to the left
    assert np.allclose((x, y, heading), (9, 6, math.pi / 2))


def test_the_same_name_gives_the_same_street_and_another_name_another() -> None:
    assert street("scene-0001") == street("scene-0001")
    assert street("scene-0001") != street("scene-0002")
