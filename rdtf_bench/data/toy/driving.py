"""A stand-in for nuScenes in exactly its layout: thirteen tables, key frames in samples/, other frames in sweeps/.

Every scene is a street of its own (street.py), seen by the six cameras of nuScenes' rig. Poses and calibration in the
tables are those that the pictures were drawn with. There are cameras only, and no annotations.
"""

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from PIL import Image

from rdtf_bench.core.store import key_of, written_whole
from rdtf_bench.data.toy import street, street_view
from rdtf_bench.data.toy.street_view import CAMERAS, EYE, HEIGHT_PX, WIDTH_PX

NAME = "toy-driving"
VERSION = 1  # any change of the tables; street.VERSION and street_view.VERSION are those of the pictures
TABLES_FOLDER = "v1.0-trainval"
LOG = "n000-2026-01-01-00-00-00+0000"
START_US = 1_767_225_600_000_000  # of the first scene: 2026-01-01
SCENE_US = 60_000_000  # from the start of one scene to that of the next
# nuScenes' cameras are triggered by turns of the lidar, every 50 ms: 12 pictures in 20 turns
STEPS_US = (0, 100_000, 200_000, 250_000, 350_000, 450_000)
KEY_US = 500_000  # from one key frame to the next
OFFSET_US: Mapping[str, int] = {  # the lidar passes the cameras one after the other
    "CAM_FRONT_LEFT": 7_000,
    "CAM_FRONT": 15_000,
    "CAM_FRONT_RIGHT": 22_000,
    "CAM_BACK_RIGHT": 31_000,
    "CAM_BACK": 40_000,
    "CAM_BACK_LEFT": 49_000,
}
DROPPED = 4  # number of the frame that one camera of every scene lacks, as where the real recorder was overloaded
QUALITY = 88  # of the JPEG files
# of tables that may be empty where nothing is annotated
EMPTY_TABLES = ("category", "attribute", "visibility", "instance", "sample_annotation")

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Shot:
    """One picture of a camera."""

    scene: str
    camera: str
    number: int  # counted without regard to the frame that was dropped
    start_us: int  # of the scene
    time_us: int  # since then

    @property
    def is_key(self) -> bool:
        """Return whether the picture is a key frame."""
        return self.number % len(STEPS_US) == 0

    @property
    def timestamp_us(self) -> int:
        """Return the time of the picture in microseconds."""
        return self.start_us + self.time_us

    @property
    def token(self) -> str:
        """Return the token of the picture in the tables."""
        return _token("sample_data", self.scene, self.camera, self.number)

    @property
    def file_name(self) -> str:
        """Return the path of the picture below the root of the dataset."""
        folder = "samples" if self.is_key else "sweeps"
        return f"{folder}/{self.camera}/{LOG}__{self.camera}__{self.timestamp_us}.jpg"


def fingerprint(scenes: Mapping[str, int]) -> str:
    """Return a hash of everything that decides the stand-in with these scenes, without drawing it."""
    versions = [NAME, VERSION, street.NAME, street.VERSION, street_view.VERSION]
    times = [START_US, SCENE_US, STEPS_US, KEY_US, dict(OFFSET_US), DROPPED]
    return key_of([versions, times, WIDTH_PX, HEIGHT_PX, QUALITY, list(scenes.items())])


def shots(scenes: Mapping[str, int]) -> Iterator[Shot]:
    """Yield all pictures of scenes, camera by camera in the order of time.

    `scenes` maps the name of a scene to the number of key frames of each of its cameras. Scenes begin and end with one.
    """
    for place, (scene, num_keys) in enumerate(scenes.items()):
        lacking = list(CAMERAS)[place % len(CAMERAS)]
        for camera in CAMERAS:
            for number in range((num_keys - 1) * len(STEPS_US) + 1):
                if camera == lacking and number == DROPPED:
                    continue
                keys, step = divmod(number, len(STEPS_US))
                yield Shot(
                    scene=scene,
                    camera=camera,
                    number=number,
                    start_us=START_US + place * SCENE_US,
                    time_us=keys * KEY_US + STEPS_US[step] + OFFSET_US[camera],
                )


def write(root: Path, scenes: Mapping[str, int]) -> None:
    """Write the stand-in with these scenes (see `shots`) unless it is there. The folder is complete or absent."""
    done = root / TABLES_FOLDER / "scene.json"
    if done.is_file():
        return
    try:
        with written_whole(root) as making:
            pictures = [f"{kind}/{name}" for kind in ("samples", "sweeps") for name in CAMERAS]
            for folder in (TABLES_FOLDER, "maps", *pictures):
                (making / folder).mkdir(parents=True)
            for name, rows in tables(scenes).items():
                (making / TABLES_FOLDER / f"{name}.json").write_text(json.dumps(rows, separators=(",", ":")))
            Image.new("L", (8, 8), 255).save(making / _map_name())
            _draw(making, shots(scenes))
    except OSError:
        # another process may have written the same set first
        if not done.is_file():
            raise


def _draw(root: Path, taken: Iterable[Shot]) -> None:
    for shot in taken:
        pixels = street_view.draw(street.street(shot.scene), CAMERAS[shot.camera], shot.time_us / 1e6)
        picture = Image.fromarray((pixels * 255).round().astype(np.uint8))
        picture.save(root / shot.file_name, quality=QUALITY)


def tables(scenes: Mapping[str, int]) -> dict[str, list[Row]]:
    """Return the rows of all thirteen tables by name."""
    taken, log = list(shots(scenes)), _token("log")
    return {
        **{name: [] for name in EMPTY_TABLES},
        "sensor": [{"token": _token("sensor", name), "channel": name, "modality": "camera"} for name in CAMERAS],
        "calibrated_sensor": [_calibrated(name) for name in CAMERAS],
        "log": [
            {"token": log, "logfile": LOG, "vehicle": "n000", "date_captured": "2026-01-01", "location": "toy-street"}
        ],
        "map": [{"token": _token("map"), "log_tokens": [log], "category": "semantic_prior", "filename": _map_name()}],
        "scene": [_scene(name, num_keys, log) for name, num_keys in scenes.items()],
        "sample": [
            {
                "token": _sample(name, key),
                "timestamp": START_US + place * SCENE_US + key * KEY_US,
                "scene_token": _token("scene", name),
                "prev": _sample(name, key - 1) if key else "",
                "next": _sample(name, key + 1) if key + 1 < num_keys else "",
            }
            for place, (name, num_keys) in enumerate(scenes.items())
            for key in range(num_keys)
        ],
        "ego_pose": [_pose(shot) for shot in taken],
        "sample_data": _sample_data(taken),
    }


def _map_name() -> str:
    return f"maps/{_token('map')}.png"


def _scene(name: str, num_keys: int, log: str) -> Row:
    return {
        "token": _token("scene", name),
        "name": name,
        "description": "A street that a program drew",
        "log_token": log,
        "nbr_samples": num_keys,
        "first_sample_token": _sample(name, 0),
        "last_sample_token": _sample(name, num_keys - 1),
    }


def _sample(scene: str, key: int) -> str:
    return _token("sample", scene, key)


def _calibrated(name: str) -> Row:
    camera = CAMERAS[name]
    half = math.radians(camera.yaw_deg) / 2
    # the axes of a camera are right, down and ahead, those of the car ahead, left and up
    plus, minus = (math.cos(half) + math.sin(half)) / 2, (math.cos(half) - math.sin(half)) / 2
    focal = camera.focal_px
    return {
        "token": _token("calibrated_sensor", name),
        "sensor_token": _token("sensor", name),
        "translation": [0.0, 0.0, EYE],
        "rotation": [plus, -plus, minus, -minus],
        "camera_intrinsic": [[focal, 0.0, WIDTH_PX / 2], [0.0, focal, HEIGHT_PX / 2], [0.0, 0.0, 1.0]],
    }


def _pose(shot: Shot) -> Row:
    x, y, heading = street.street(shot.scene).ego_at(shot.time_us / 1e6)
    return {
        "token": shot.token,
        "timestamp": shot.timestamp_us,
        "rotation": [math.cos(heading / 2), 0.0, 0.0, math.sin(heading / 2)],
        "translation": [x, y, 0.0],
    }


def _sample_data(taken: Sequence[Shot]) -> list[Row]:
    rows = []
    for before, shot, after in zip([None, *taken[:-1]], taken, [*taken[1:], None], strict=True):
        same = [other and (other.scene, other.camera) == (shot.scene, shot.camera) for other in (before, after)]
        rows.append(
            {
                "token": shot.token,
                # a sweep belongs to the key frame that follows
                "sample_token": _sample(shot.scene, -(-shot.number // len(STEPS_US))),
                "ego_pose_token": shot.token,
                "calibrated_sensor_token": _token("calibrated_sensor", shot.camera),
                "timestamp": shot.timestamp_us,
                "fileformat": PurePosixPath(shot.file_name).suffix[1:],
                "is_key_frame": shot.is_key,
                "height": HEIGHT_PX,
                "width": WIDTH_PX,
                "filename": shot.file_name,
                "prev": before.token if before and same[0] else "",
                "next": after.token if after and same[1] else "",
            }
        )
    return rows


def _token(*parts: str | int) -> str:
    """Return 32 hexadecimal digits for these names, as tokens of nuScenes are."""
    return hashlib.sha256("\x1f".join([NAME, *map(str, parts)]).encode()).hexdigest()[:32]
