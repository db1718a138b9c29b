"""Draw a street as the cameras of nuScenes' rig see it; numpy alone.

Whatever has an edge is drawn analytically: the share of each pixel that a line, a wall or a window covers is computed,
so that nothing flickers and no supersampling is needed.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from jaxtyping import Float

from rdtf_bench.data.toy.street import (
    GLASS,
    LANE,
    LEFT_EDGE,
    PAINT,
    RIGHT_EDGE,
    STONE,
    Car,
    Colour,
    Place,
    Street,
    Thing,
)

VERSION = 2  # any change that can move a pixel
WIDTH_PX, HEIGHT_PX = 160, 90
HORIZON_PX = HEIGHT_PX // 2
EYE = 1.5  # height of the cameras
NEAR, FAR = 0.3, 48.0  # only what is between these distances is drawn
SHARP = 30.0  # beyond this distance facades have no windows, and cars no lamps and wheels
FOG = 40.0  # a colour is mixed with that of the horizon, by 1 - 1/e at this distance
LINE = 0.14  # width of a painted line
DASH, DASH_PERIOD = 3.0, 8.0
PAVEMENT = 2.2  # width
CAR_WIDTH = 1.8
LAMPS: Sequence[Colour] = ((1.0, 0.97, 0.85), (0.85, 0.08, 0.06))  # in front and at the back

Plane = Float[np.ndarray, "..."]  # a number per pixel of a part of the picture, per row or per column
Seen = tuple[float, float, float]  # metres ahead of the camera, to its right, above the ground


@dataclass(frozen=True)
class Camera:
    """The direction of a camera, counter-clockwise from ahead, and its horizontal field of view, both in degrees."""

    yaw_deg: float
    view_deg: float = 70.0

    @property
    def focal_px(self) -> float:
        """Return the focal length."""
        return WIDTH_PX / 2 / math.tan(math.radians(self.view_deg) / 2)

    @cached_property
    def right(self) -> Plane:
        """Return how far right of its axis a column looks, per metre ahead."""
        return (np.arange(WIDTH_PX, dtype=np.float32) + np.float32(0.5 - WIDTH_PX / 2)) / np.float32(self.focal_px)

    @cached_property
    def down(self) -> Float[np.ndarray, "h 1"]:
        """Return how far below its axis a row looks, per metre ahead."""
        rows = np.arange(HEIGHT_PX, dtype=np.float32) + np.float32(0.5 - HORIZON_PX)
        return rows[:, None] / np.float32(self.focal_px)


CAMERAS: Mapping[str, Camera] = {  # the directions and fields of view of nuScenes' rig
    "CAM_FRONT": Camera(0.0),
    "CAM_FRONT_RIGHT": Camera(-55.0),
    "CAM_BACK_RIGHT": Camera(-110.0),
    "CAM_BACK": Camera(180.0, view_deg=110.0),
    "CAM_BACK_LEFT": Camera(110.0),
    "CAM_FRONT_LEFT": Camera(55.0),
}


def draw(street: Street, camera: Camera, time_s: float) -> Float[np.ndarray, "H W 3"]:
    """Return what a camera sees at a time, in 0..1."""
    view = _View(street, camera, time_s)
    view.draw_sky()
    view.draw_ground()
    view.draw_solids()
    return view.picture.transpose(1, 2, 0).clip(0, 1)


class _View:
    """One picture: where the camera is and looks, and what is drawn so far."""

    def __init__(self, street: Street, camera: Camera, time_s: float) -> None:
        self.street, self.weather, self.camera, self.time_s = street, street.weather, camera, time_s
        self.focal = camera.focal_px
        self.x, self.y, heading = street.ego_at(time_s)
        self.direction = heading + math.radians(camera.yaw_deg)
        self.cos, self.sin = math.cos(self.direction), math.sin(self.direction)
        self.picture = np.empty((3, HEIGHT_PX, WIDTH_PX), np.float32)

    def draw_sky(self) -> None:
        """Draw sky, clouds and hills, which stand still while the own car drives straight on."""
        camera, phase, light = self.camera, self.street.phase, self.weather.light
        up = -camera.down[:HORIZON_PX] / np.sqrt(1 + camera.right**2)
        azimuth = np.float32(self.direction) - np.arctan(camera.right)
        high = np.clip(up / 0.42, 0, 1) ** 0.7
        clouds = np.sin(3 * azimuth + phase + 4 * up) * np.sin(9 * up + 2 * azimuth + 2 * phase)
        cloudy = np.clip(0.2 * clouds, 0, 1) * (1 - high)
        ridge = 0.03 + 0.02 * np.sin(4 * azimuth + phase) + 0.01 * np.sin(11 * azimuth - phase)
        hill = np.clip((ridge - up) * self.focal + 0.5, 0, 1)
        blue, pale = (1 - hill) * (1 - cloudy) * high, (1 - hill) * (1 - cloudy) * (1 - high)
        self.picture[:, :HORIZON_PX] = _mixed(
            [blue, pale + 0.7 * hill, (1 - hill) * cloudy, 0.2 * light * hill],
            [self.weather.sky, self.weather.horizon, (light, light, light), self.weather.verge],
        )

    def draw_ground(self) -> None:
        """Draw verges or pavements, asphalt and lines."""
        turn, phase = self.camera.right, self.street.phase
        ahead = EYE / self.camera.down[HORIZON_PX:]
        x = self.x + ahead * (self.cos + turn * self.sin)
        y = self.y + ahead * (self.sin - turn * self.cos)
        # the sides of the patch of ground that one pixel covers
        per_row, per_column = ahead * ahead / (EYE * self.focal), ahead / self.focal
        wide_x = np.abs(self.cos + turn * self.sin) * per_row + abs(self.sin) * per_column
        wide_y = np.abs(self.sin - turn * self.cos) * per_row + abs(self.cos) * per_column
        low_y, high_y = y - wide_y / 2, y + wide_y / 2

        def waves(length: float, slant: float) -> Plane:
            number = math.tau / length
            blurred = np.exp(-0.5 * (number * 0.5 * (wide_x + abs(slant) * wide_y)) ** 2)
            return np.sin(number * (x + slant * y) + phase) * blurred

        def band(low: float, high: float) -> Plane:
            return np.clip(np.minimum(high_y, high) - np.maximum(low_y, low), 0, None) / wide_y

        road = band(RIGHT_EDGE, LEFT_EDGE)
        paved = band(RIGHT_EDGE - PAVEMENT, LEFT_EDGE + PAVEMENT) if self.street.pavement else road
        painted = band(LANE / 2 - LINE, LANE / 2 + LINE) * _stripes(x, wide_x, DASH, DASH_PERIOD)
        for middle in (RIGHT_EDGE + 0.35, LEFT_EDGE - 0.35):
            painted = painted + band(middle - LINE / 2, middle + LINE / 2)
        distance = ahead * np.sqrt(1 + turn * turn)
        clear = np.exp(-distance / FOG) * self.weather.light
        planes = [
            clear * (1 - paved) * (1 + 0.25 * waves(6.1, 0.6) + 0.2 * waves(2.7, -0.8)),
            clear * (paved - road) * (1 - 0.25 * _stripes(x, wide_x, 0.25, 2.0)),
            clear * (road - painted) * (1 + 0.08 * waves(5.3, 0.3)),
            clear * painted,
            1 - clear / self.weather.light,
        ]
        colours = [self.weather.verge, STONE, self.weather.asphalt, PAINT, self.weather.horizon]
        self.picture[:, HORIZON_PX:] = _mixed(planes, colours)

    def draw_solids(self) -> None:
        """Draw the shadows of cars, and then cars and things from the furthest to the nearest."""
        cars = [(car, *car.at(self.time_s)) for car in self.street.cars]
        cars = [(car, x, y, heading) for car, x, y, heading in cars if self._in_view(x, y, car.length)]
        for car, x, y, heading in cars:
            corners = [(*corner, 0.0) for corner in _corners(x, y, heading, car.length + 0.3, CAR_WIDTH + 0.3)]
            self._polygon(corners, self.weather.asphalt, shade=0.35)
        things = [thing for thing in self.street.things if self._in_view(thing.x, thing.y, thing.length + thing.depth)]
        solids = [(self._distance(x, y), partial(self._car, car, x, y, heading)) for car, x, y, heading in cars]
        solids += [(self._distance(thing.x, thing.y), partial(self._thing, thing)) for thing in things]
        for _, paint in sorted(solids, key=lambda solid: -solid[0]):
            paint()

    def _distance(self, x: float, y: float) -> float:
        return math.hypot(x - self.x, y - self.y)

    def _seen(self, x: float, y: float) -> Place:
        """Return how far ahead of the camera and how far to its right a place is."""
        dx, dy = x - self.x, y - self.y
        return dx * self.cos + dy * self.sin, dx * self.sin - dy * self.cos

    def _in_view(self, x: float, y: float, size: float) -> bool:
        ahead, right = self._seen(x, y)
        return -size < ahead < FAR and abs(right) < (ahead + size) * WIDTH_PX / 2 / self.focal + size

    def _column(self, ahead: float, right: float) -> float:
        return WIDTH_PX / 2 + self.focal * right / ahead

    def _row(self, ahead: float, height: float) -> float:
        return HORIZON_PX + self.focal * (EYE - height) / ahead

    def _thing(self, thing: Thing) -> None:
        place = (thing.x, thing.y)
        if thing.kind == "tree":
            self._wall(place, place, 0.0, 0.5 * thing.height, (0.30, 0.22, 0.15), billboard=0.14)
            self._crown(thing)
        elif thing.kind == "pole":
            self._wall(place, place, 0.0, thing.height, thing.colour, billboard=thing.length / 2)
        else:
            corners = _corners(*place, 0.0, thing.length, thing.depth)
            self._box(corners, 0.0, thing.height, thing.colour, windows=thing.kind == "house")

    def _car(self, car: Car, x: float, y: float, heading: float) -> None:
        waist, roof = 0.52 * car.height, car.height - 0.08
        body = _corners(x, y, heading, car.length, CAR_WIDTH)
        sides = list(zip(body, [*body[1:], body[0]], strict=True))  # front, right, back, left
        self._box(body, 0.22, waist, car.colour, top=True)
        for side, lamp in zip(sides[::2], LAMPS, strict=True):
            self._parts(side, ((0.04, 0.24), (0.76, 0.96)), 0.6 * waist, 0.92 * waist, lamp, glow=True)
        for side in sides[1::2]:
            self._parts(side, ((0.12, 0.27), (0.73, 0.88)), 0.0, 0.55, (0.07, 0.07, 0.08))
        back = -0.06 * car.length
        middle = (x + back * math.cos(heading), y + back * math.sin(heading))
        cabin = _corners(*middle, heading, 0.52 * car.length, 0.86 * CAR_WIDTH)
        self._box(cabin, waist, roof, GLASS)
        self._box(cabin, roof, car.height, car.colour, top=True)

    def _parts(
        self,
        side: tuple[Place, Place],
        spans: Sequence[tuple[float, float]],
        low: float,
        high: float,
        colour: Colour,
        *,
        glow: bool = False,
    ) -> None:
        """Draw lamps or wheels on a side of a car; spans are shares of its length."""
        if self._faces(*side) and self._distance(*side[0]) < SHARP:
            for begin, end in spans:
                self._wall(_between(*side, begin), _between(*side, end), low, high, colour, glow=glow)

    def _box(
        self,
        corners: Sequence[Place],
        low: float,
        high: float,
        colour: Colour,
        *,
        windows: bool = False,
        top: bool = False,
    ) -> None:
        if top and high < EYE:
            self._polygon([(*corner, high) for corner in corners], colour, shade=1.1)
        for start, end in zip(corners, [*corners[1:], corners[0]], strict=True):
            if self._faces(start, end):
                outwards = math.atan2(end[1] - start[1], end[0] - start[0]) + math.pi / 2
                shade = 0.8 + 0.25 * math.cos(outwards - 0.9)  # the sun stands ahead and to the left
                self._wall(start, end, low, high, _times(colour, shade), windows=windows)

    def _faces(self, start: Place, end: Place) -> bool:
        """Tell whether the camera is on the outer side of a wall, whose box runs clockwise from above."""
        return (end[0] - start[0]) * (self.y - start[1]) - (end[1] - start[1]) * (self.x - start[0]) > 0

    def _wall(
        self,
        start: Place,
        end: Place,
        low: float,
        high: float,
        colour: Colour,
        *,
        billboard: float = 0.0,
        windows: bool = False,
        glow: bool = False,
    ) -> None:
        """Draw an upright wall between two places; a billboard of that half width faces the camera at `start`.

        One column of the picture sees an upright wall at one distance, so that its upper and lower end and the place
        along the wall are numbers per column.
        """
        (ahead0, right0), (ahead1, right1) = self._seen(*start), self._seen(*end)
        right0, right1 = right0 - billboard, right1 + billboard
        ends = _before_the_camera([(ahead0, right0, low), (ahead1, right1, low)])
        if not ends:
            return
        edges = [self._column(ahead, right) for ahead, right, _ in ends]
        across = _span(min(edges), max(edges), WIDTH_PX)
        closest = min(ahead for ahead, _, _ in ends)
        down = _span(self._row(closest, max(high, EYE)), self._row(closest, min(low, EYE)), HEIGHT_PX)
        if across.start >= across.stop or down.start >= down.stop:
            return
        turn = self.camera.right[across]
        # the place where the column's ray meets the line of the wall, as a share of its length
        steep = turn * np.float32(ahead1 - ahead0) - np.float32(right1 - right0)
        share = np.clip((right0 - turn * ahead0) / np.where(np.abs(steep) < 1e-6, np.float32(1e-6), steep), 0, 1)
        ahead = np.maximum(ahead0 + share * (ahead1 - ahead0), closest)
        columns, rows = _numbers(across), _numbers(down)[:, None]
        covered = np.clip(np.minimum(columns + 1, max(edges)) - np.maximum(columns, min(edges)), 0, 1)
        top, bottom = HORIZON_PX + self.focal * (EYE - high) / ahead, HORIZON_PX + self.focal * (EYE - low) / ahead
        inside = np.clip(np.minimum(rows + 1, bottom) - np.maximum(rows, top), 0, 1) * covered
        parts: list[tuple[Colour, Plane]] = []
        if windows and closest < SHARP:
            panes = self._panes(ahead, share * math.dist(start, end), math.dist(start, end), rows)
            parts = [(colour, 1 - panes), (GLASS, panes)]
        else:
            fading = 1.08 - 0.3 * np.clip((rows + 0.5 - top) / np.maximum(bottom - top, 1e-3), 0, 1)
            parts = [(colour, fading)]
        self._cover(down, across, inside, ahead * np.sqrt(1 + turn * turn), parts, light=1.0 if glow else None)

    def _panes(self, ahead: Plane, along: Plane, length: float, rows: Plane) -> Plane:
        """Return the share of each pixel of a facade that windows cover."""
        height = EYE - (rows + np.float32(0.5 - HORIZON_PX)) * ahead / self.focal
        period = length / max(1, round(length / 3))
        wide = np.maximum(np.abs(np.diff(along, append=along[-1:])), np.float32(0.05))
        across = _stripes(along - 0.25 * period, wide, 0.5 * period, period)
        return 0.85 * across * _stripes(height - 0.9, ahead / self.focal, 1.3, 2.8)

    def _crown(self, tree: Thing) -> None:
        ahead, right = self._seen(tree.x, tree.y)
        radius = tree.length / 2
        if ahead < radius + NEAR:
            return
        column, row = self._column(ahead, right), self._row(ahead, 0.68 * tree.height)
        wide, tall = self.focal * radius / ahead, self.focal * 0.36 * tree.height / ahead
        across, down = _span(column - wide, column + wide, WIDTH_PX), _span(row - tall, row + tall, HEIGHT_PX)
        if across.start >= across.stop or down.start >= down.stop:
            return
        dx = (_numbers(across) + np.float32(0.5 - column)) / wide
        dy = (_numbers(down)[:, None] + np.float32(0.5 - row)) / tall
        bumps = 0.92 + 0.08 * np.sin(7 * np.arctan2(dy, dx) + tree.x)
        inside = np.clip((bumps - np.sqrt(dx * dx + dy * dy)) * min(wide, tall) + 0.5, 0, 1)
        self._cover(down, across, inside, np.full(1, ahead, np.float32), [(tree.colour, 1.0 - 0.35 * dy - 0.2 * dx)])

    def _polygon(self, corners: Sequence[tuple[float, float, float]], colour: Colour, *, shade: float) -> None:
        """Draw a flat convex polygon whose corners (x, y, z) run clockwise as seen from above."""
        seen = _before_the_camera([(*self._seen(x, y), z) for x, y, z in corners])
        if len(seen) < 3:
            return
        points = [(self._column(ahead, right), self._row(ahead, height)) for ahead, right, height in seen]
        columns, rows = zip(*points, strict=True)
        across, down = _span(min(columns), max(columns), WIDTH_PX), _span(min(rows), max(rows), HEIGHT_PX)
        if across.start >= across.stop or down.start >= down.stop:
            return
        u, v = _numbers(across) + np.float32(0.5), _numbers(down)[:, None] + np.float32(0.5)
        inside = np.ones((v.shape[0], len(u)), np.float32)
        for (u0, v0), (u1, v1) in zip(points, [*points[1:], points[0]], strict=True):
            length = math.hypot(u1 - u0, v1 - v0)
            if length > 1e-6:
                beside = ((u1 - u0) * (v - v0) - (v1 - v0) * (u - u0)) / length
                inside = np.minimum(inside, np.clip(beside + 0.5, 0, 1))
        middle = sum(ahead for ahead, _, _ in seen) / len(seen)
        self._cover(
            down, across, inside, np.full(1, middle, np.float32), [(_times(colour, shade), np.ones((1, 1), np.float32))]
        )

    def _cover(
        self,
        down: slice,
        across: slice,
        inside: Plane,
        distance: Plane,
        parts: Sequence[tuple[Colour, Plane]],
        *,
        light: float | None = None,
    ) -> None:
        """Draw a surface over a part of the picture: its share of each pixel, its distance, and its colours."""
        clear = inside * np.exp(-distance / np.float32(FOG))
        planes = [clear * share * (self.weather.light if light is None else light) for _, share in parts]
        region = self.picture[:, down, across]
        region *= 1 - inside
        region += _mixed([*planes, inside - clear], [*(colour for colour, _ in parts), self.weather.horizon])


def _mixed(planes: Sequence[Plane], colours: Sequence[Colour]) -> Float[np.ndarray, "3 h w"]:
    """Return the sum of colours, each weighted by a plane."""
    stacked = np.asarray(planes, np.float32)
    flat = np.asarray(colours, np.float32).T @ stacked.reshape(len(planes), -1)
    return flat.reshape(3, *stacked.shape[1:])


def _times(colour: Colour, factor: float) -> Colour:
    return colour[0] * factor, colour[1] * factor, colour[2] * factor


def _corners(x: float, y: float, heading: float, length: float, width: float) -> list[Place]:
    """Return the corners of a rectangle clockwise from above, the left one in front first."""
    cos, sin = math.cos(heading), math.sin(heading)
    around = ((0.5, 0.5), (0.5, -0.5), (-0.5, -0.5), (-0.5, 0.5))
    return [
        (x + ahead * length * cos - left * width * sin, y + ahead * length * sin + left * width * cos)
        for ahead, left in around
    ]


def _between(start: Place, end: Place, share: float) -> Place:
    return start[0] + share * (end[0] - start[0]), start[1] + share * (end[1] - start[1])


def _stripes(at: Plane, wide: Plane, stripe: float, period: float) -> Plane:
    """Return the share of intervals of width `wide` around `at` that stripes cover; one of them begins at 0."""

    def covered_until(end: Plane) -> Plane:
        turns = np.floor(end / period)
        return turns * stripe + np.minimum(end - turns * period, stripe)

    return (covered_until(at + wide / 2) - covered_until(at - wide / 2)) / wide


def _span(low: float, high: float, size_px: int) -> slice:
    """Return the pixels between two places on an axis, as far as they are in the picture."""
    return slice(max(0, math.floor(low)), min(size_px, math.ceil(high) + 1))


def _numbers(span: slice) -> Plane:
    return np.arange(span.start, span.stop, dtype=np.float32)


def _before_the_camera(corners: Sequence[Seen]) -> list[Seen]:
    """Cut off the part of a polygon, or of a line, that is nearer than NEAR or behind the camera."""
    kept = []
    for (a0, r0, h0), (a1, r1, h1) in zip(corners, [*corners[1:], corners[0]], strict=True):
        if a0 >= NEAR:
            kept.append((a0, r0, h0))
        if (a0 >= NEAR) != (a1 >= NEAR):
            share = (NEAR - a0) / (a1 - a0)
            kept.append((NEAR, r0 + share * (r1 - r0), h0 + share * (h1 - h0)))
    return kept
