"""Procedural streets: what stands beside them, what drives on them, and how the car with the cameras moves.

A street is straight and has two lanes with traffic on the right. street_view.py draws it. The axes are those of
nuScenes' ego frame at time 0: x ahead along the street, y to the left, z up. Lengths are in metres, angles in radians.
"""

import hashlib
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

NAME = "toy-street"
VERSION = 2  # any change that can move a pixel
LANE = 3.5  # width
RIGHT_EDGE, LEFT_EDGE = -2.2, 5.7  # of the asphalt; the own car drives at y = 0
LENGTH = 50.0  # things stand at most so far behind the start of the own car and 20 more ahead of it

Colour = tuple[float, float, float]
Place = tuple[float, float]  # x, y
Choice = TypeVar("Choice")


@dataclass(frozen=True, kw_only=True)
class Weather:
    """The colours of sky, horizon, asphalt and verge, and the brightness of things."""

    sky: Colour
    horizon: Colour
    asphalt: Colour
    verge: Colour
    light: float


WEATHERS: Sequence[Weather] = (
    Weather(
        sky=(0.30, 0.53, 0.86), horizon=(0.80, 0.87, 0.93),
        asphalt=(0.36, 0.36, 0.38), verge=(0.33, 0.50, 0.20), light=1.0,
    ),
    Weather(
        sky=(0.62, 0.65, 0.70), horizon=(0.80, 0.81, 0.82),
        asphalt=(0.30, 0.31, 0.33), verge=(0.30, 0.40, 0.22), light=0.85,
    ),
    Weather(
        sky=(0.28, 0.30, 0.52), horizon=(0.96, 0.66, 0.42),
        asphalt=(0.29, 0.27, 0.31), verge=(0.36, 0.34, 0.18), light=0.75,
    ),
    Weather(
        sky=(0.46, 0.66, 0.88), horizon=(0.94, 0.90, 0.80),
        asphalt=(0.46, 0.44, 0.42), verge=(0.62, 0.54, 0.34), light=1.05,
    ),
    Weather(
        sky=(0.05, 0.07, 0.18), horizon=(0.20, 0.21, 0.32),
        asphalt=(0.18, 0.18, 0.21), verge=(0.14, 0.22, 0.12), light=0.6,
    ),
)  # fmt: skip
PAINTS: Sequence[Colour] = (
    (0.80, 0.12, 0.10), (0.12, 0.28, 0.66), (0.88, 0.88, 0.88), (0.14, 0.14, 0.16), (0.92, 0.72, 0.10),
    (0.55, 0.57, 0.60), (0.12, 0.42, 0.30),
)  # fmt: skip
FACADES: Sequence[Colour] = ((0.72, 0.60, 0.48), (0.60, 0.34, 0.27), (0.82, 0.80, 0.74), (0.50, 0.54, 0.60))
LEAVES: Colour = (0.18, 0.38, 0.14)
METAL: Colour = (0.42, 0.42, 0.44)
GLASS: Colour = (0.16, 0.20, 0.26)
STONE: Colour = (0.62, 0.60, 0.57)  # of pavements
PAINT: Colour = (0.92, 0.92, 0.88)  # of lines
SIZES: Mapping[str, tuple[float, float, float, float]] = {  # length, depth, height, distance from the asphalt
    "tree": (2.6, 2.6, 4.5, 3.5),
    "pole": (0.22, 0.22, 6.0, 1.8),
    "hedge": (5.0, 1.0, 1.3, 3.0),
    "house": (9.0, 8.0, 8.0, 5.5),
}


@dataclass(frozen=True, kw_only=True)
class Thing:
    """Something that stands beside the street."""

    kind: str  # tree, pole, hedge or house
    x: float
    y: float
    length: float  # along the street
    depth: float
    height: float
    colour: Colour


@dataclass(frozen=True, kw_only=True)
class Car:
    """A car by its state at time 0. A turning car follows a circle from `turns_at_s` on."""

    x: float
    y: float
    heading: float  # radians, 0 is ahead
    speed: float  # metres per second
    colour: Colour
    length: float
    height: float
    turn_rate: float = 0.0  # radians per second
    turns_at_s: float = 0.0

    def at(self, time_s: float) -> tuple[float, float, float]:
        """Return x, y and heading at a time."""
        turning = max(0.0, time_s - self.turns_at_s) if self.turn_rate else 0.0
        straight = self.speed * (time_s - turning)
        x, y = self.x + straight * math.cos(self.heading), self.y + straight * math.sin(self.heading)
        if not turning:
            return x, y, self.heading
        after = self.heading + self.turn_rate * turning
        radius = self.speed / self.turn_rate
        x += radius * (math.sin(after) - math.sin(self.heading))
        y -= radius * (math.cos(after) - math.cos(self.heading))
        return x, y, after


@dataclass(frozen=True, kw_only=True)
class Street:
    """One scene: the weather, what stands and drives there, and how the car with the cameras moves."""

    weather: Weather
    things: tuple[Thing, ...]
    cars: tuple[Car, ...]
    pavement: bool  # whether the asphalt is followed by a pavement or by the verge
    speed: float
    turn_rate: float  # radians per second, of the own car
    phase: float  # of the textures

    def ego_at(self, time_s: float) -> tuple[float, float, float]:
        """Return x, y and heading of the own car at a time."""
        own = Car(
            x=0.0, y=0.0, heading=0.0, speed=self.speed, colour=GLASS, length=4.0, height=1.0, turn_rate=self.turn_rate
        )
        return own.at(time_s)


@cache
def street(name: str) -> Street:
    """Return the street of this name: the same name always gives the same street."""
    # random() is the only method whose stream Python guarantees between versions
    rng = random.Random(int(hashlib.sha256(f"{NAME}\x1f{VERSION}\x1f{name}".encode()).hexdigest(), 16))
    urban, speed = rng.random() < 0.5, _between(5.0, 9.0, rng)
    return Street(
        weather=_one_of(WEATHERS, rng),
        things=tuple(_things(rng, urban=urban)),
        cars=tuple(_cars(rng, speed)),
        pavement=urban,
        speed=speed,
        turn_rate=_one_of((0.0, 0.0, 0.05, -0.05), rng),
        phase=math.tau * rng.random(),
    )


def _one_of(choices: Sequence[Choice], rng: random.Random) -> Choice:
    return choices[int(rng.random() * len(choices))]


def _between(low: float, high: float, rng: random.Random) -> float:
    return low + (high - low) * rng.random()


def _things(rng: random.Random, *, urban: bool) -> list[Thing]:
    kinds = ("house", "house", "tree", "pole") if urban else ("tree", "tree", "hedge", "pole", "house")
    found = []
    for edge, side in ((RIGHT_EDGE, -1), (LEFT_EDGE, 1)):
        x = -LENGTH
        while x < LENGTH + 20:
            kind = _one_of(kinds, rng)
            length, depth, height, apart = SIZES[kind]
            size, tint = _between(0.8, 1.25, rng), _between(0.8, 1.2, rng)
            red, green, blue = _one_of(FACADES, rng) if kind == "house" else LEAVES if kind != "pole" else METAL
            found.append(
                Thing(
                    kind=kind,
                    x=x + length * size / 2,
                    y=edge + side * (apart + depth / 2),
                    length=length * size,
                    depth=depth,
                    height=height * size,
                    colour=(red * tint, green * tint, blue * tint),
                )
            )
            x += length * size + _between(3.0, 9.0, rng)
    return found


def _cars(rng: random.Random, own_speed: float) -> list[Car]:
    """Return cars that meet neither each other nor the own car within two seconds."""

    def car(x: float, y: float, heading: float, speed: float, turn_rate: float = 0.0, turns_at_s: float = 0.0) -> Car:
        size = _between(0.9, 1.15, rng)
        return Car(
            x=x, y=y, heading=heading, speed=speed, colour=_one_of(PAINTS, rng), length=4.2 * size, height=1.45 * size,
            turn_rate=turn_rate, turns_at_s=turns_at_s,
        )  # fmt: skip

    found = [
        car(_between(11.0, 18.0, rng), 0.0, 0.0, own_speed + _between(-3.0, 2.0, rng)),  # ahead
        car(_between(-18.0, -11.0, rng), 0.0, 0.0, own_speed + _between(-2.0, 3.0, rng)),  # behind
    ]
    oncoming = _between(5.0, 8.0, rng)
    for at in (-22, 6, 42):
        if rng.random() < 0.7:
            found.append(car(at + _between(-4.0, 4.0, rng), LANE, math.pi, oncoming + _between(0.0, 1.0, rng)))
    if rng.random() < 0.5:  # an oncoming car leaves the street on either side
        turn_rate = _one_of((-0.7, 0.7), rng)
        found.append(car(_between(20.0, 28.0, rng), LANE, math.pi, oncoming, turn_rate, _between(0.0, 0.8, rng)))
    return found
