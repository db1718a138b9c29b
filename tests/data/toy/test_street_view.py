import dataclasses

import numpy as np
import pytest

from rdtf_bench.data.toy.street import WEATHERS, Car, Street, Thing
from rdtf_bench.data.toy.street_view import CAMERAS, HEIGHT_PX, WIDTH_PX, draw

EMPTY = Street(weather=WEATHERS[0], things=(), cars=(), pavement=False, speed=6.0, turn_rate=0.0, phase=0.0)
RED = (1.0, 0.0, 0.0)


def car(x: float, speed: float = 0.0) -> Car:
    return Car(x=x, y=0.0, heading=0.0, speed=speed, colour=RED, length=4.2, height=1.45)


def redness(street: Street, camera: str, time_s: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    picture = draw(street, CAMERAS[camera], time_s)
    return (picture[..., 0] - picture[..., 1:].max(-1)).clip(0, 1)


@pytest.mark.parametrize("camera", CAMERAS)
def test_every_camera_sees_motion_that_a_still_frame_does_not_show(camera: str) -> None:
    first, last = (draw(EMPTY, CAMERAS[camera], time_s) for time_s in (0.0, 0.6))
    assert first.shape == (HEIGHT_PX, WIDTH_PX, 3)
    assert 0 <= first.min() < first.max() <= 1
    assert np.abs(first - last)[HEIGHT_PX // 2 :].mean() > 0.01
    assert np.array_equal(first[:20], last[:20])  # the sky stands still while the car drives straight on


def test_what_is_ahead_grows_in_front_and_shrinks_behind() -> None:
    street = dataclasses.replace(EMPTY, cars=(car(12.0), car(-5.0)))
    ahead = [redness(street, "CAM_FRONT", time_s).sum() for time_s in (0.0, 0.3, 0.6)]
    behind = [redness(street, "CAM_BACK", time_s).sum() for time_s in (0.0, 0.3, 0.6)]
    assert ahead == sorted(ahead)
    assert ahead[2] > 1.5 * ahead[0] > 0
    assert behind == sorted(behind, reverse=True)
    assert behind[0] > 1.5 * behind[2] > 0


@pytest.mark.parametrize(("side", "y", "direction"), [("LEFT", 12.0, -1), ("RIGHT", -9.0, 1)])
@pytest.mark.parametrize("end", ["FRONT", "BACK"])
def test_what_stands_beside_the_street_moves_sideways(end: str, side: str, y: float, direction: int) -> None:
    camera = f"CAM_{end}_{side}"
    ahead = 6.0 if end == "FRONT" else -2.0
    hedge = Thing(kind="hedge", x=ahead, y=y, length=1.0, depth=1.0, height=3.0, colour=RED)
    street = dataclasses.replace(EMPTY, things=(hedge,))
    places = []
    for time_s in (0.0, 0.2, 0.4):
        seen = redness(street, camera, time_s)
        places.append(float((seen * np.arange(WIDTH_PX)).sum() / seen.sum()))
    assert [direction * step > 2 for step in np.diff(places)] == [True, True]


def test_a_place_is_drawn_where_the_pinhole_camera_sees_it() -> None:
    pole = Thing(kind="pole", x=10.0, y=-2.0, length=0.4, depth=0.4, height=1.5, colour=RED)
    seen = redness(dataclasses.replace(EMPTY, things=(pole,)), "CAM_FRONT", 0.0)
    focal_px = CAMERAS["CAM_FRONT"].focal_px
    rows, columns = np.nonzero(seen > 0.2)
    middle = (columns.min() + columns.max() + 1) / 2
    assert middle == pytest.approx(WIDTH_PX / 2 + focal_px * 2.0 / 10.0, abs=0.6)
    assert rows.min() == HEIGHT_PX // 2  # as high as the camera
    assert rows.max() + 1 == pytest.approx(HEIGHT_PX / 2 + focal_px * 1.5 / 10.0, abs=0.6)


def test_a_wall_that_begins_behind_the_camera_is_cut_off() -> None:
    hedge = Thing(kind="hedge", x=0.0, y=-3.0, length=30.0, depth=1.0, height=3.0, colour=RED)
    seen = redness(dataclasses.replace(EMPTY, things=(hedge,)), "CAM_FRONT", 0.0)
    assert seen[:, WIDTH_PX - 1].max() > 0.1
    assert seen[:, : WIDTH_PX // 2].max() < 0.05
    assert np.isfinite(seen).all()


def test_nearer_things_cover_those_behind_them() -> None:
    wall = Thing(kind="hedge", x=9.0, y=0.0, length=1.0, depth=8.0, height=4.0, colour=(0.0, 1.0, 0.0))
    street = dataclasses.replace(EMPTY, things=(wall,), cars=(car(20.0),))
    assert redness(street, "CAM_FRONT", 0.0).max() < 0.05
    assert redness(dataclasses.replace(street, things=()), "CAM_FRONT", 0.0).max() > 0.2
