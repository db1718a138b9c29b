"""A procedural set of eye operations under a microscope, written in the layout of OphNet2024.

It stands in for that dataset if no folder is given. An eye is seen from above: sclera with vessels, iris, a pupil with
its red reflex, and the reflections of the lamp. Instruments enter from the rim and work along paths: they cut, tear a
round opening into the capsule, sculpt the lens, polish, or push an artificial lens in. The tissue gives way where they
press, the eye drifts, and the light changes. Videos are H.264 in MP4 at 25, 30 and 50 frames per second.

The module imports no torch, because the number of clips is known without drawing.
"""

import csv
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from rdtf_bench.core.store import written_whole

NAME = "toy-ophnet"
VERSION = 1  # any change that can move a pixel or an annotation
WIDTH_PX, HEIGHT_PX = 128, 96
RATES = (25, 30, 50, 30)  # frames per second, in turn
DURATIONS_S = (1.8, 2.1)
VIDEOS: Mapping[str, int] = {"train": 72, "val": 48, "test": 24}  # by the published split
GAP_S = 0.04  # between annotated segments
ENCODING = {"crf": "20", "preset": "veryfast", "bf": "2", "threads": "1"}

T = TypeVar("T")
Plane = NDArray[np.floating[Any]]  # H W of float32
Picture = NDArray[np.floating[Any]]  # C H W of float32, from 0 to 1
Pixels = NDArray[np.uint8]  # H W C
Point = tuple[float, float]  # x to the right and y down, in frame heights
Colour = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Action:
    """What is done in a segment, with the labels that the annotations give it."""

    name: str
    surgery_id: int
    phase_id: int
    operation_id: int


ACTIONS = (
    Action(name="cut", surgery_id=0, phase_id=6, operation_id=8),
    Action(name="tear", surgery_id=0, phase_id=7, operation_id=3),
    Action(name="sculpt", surgery_id=0, phase_id=1, operation_id=10),
    Action(name="polish", surgery_id=0, phase_id=8, operation_id=12),
    Action(name="quarter", surgery_id=0, phase_id=1, operation_id=9),
    Action(name="insert", surgery_id=2, phase_id=4, operation_id=7),
)
IRISES: Sequence[Colour] = ((0.42, 0.27, 0.14), (0.25, 0.42, 0.55), (0.32, 0.44, 0.24), (0.5, 0.4, 0.24))
SCLERAS: Sequence[Colour] = ((0.86, 0.76, 0.7), (0.8, 0.74, 0.74), (0.9, 0.8, 0.66))
METALS: Sequence[Colour] = ((0.62, 0.66, 0.72), (0.36, 0.5, 0.74), (0.7, 0.62, 0.5))


@dataclass(frozen=True, kw_only=True)
class Part:
    """An annotated segment."""

    start_s: float
    end_s: float
    action: Action


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A video before it is drawn."""

    video_id: str
    split: str
    fps: int
    num_frames: int
    parts: tuple[Part, ...]

    def times_us(self) -> tuple[int, ...]:
        """Return when each frame is shown."""
        return tuple(round(number * 1_000_000 / self.fps) for number in range(self.num_frames))

    def segments_us(self) -> tuple[tuple[int, int], ...]:
        """Return start and end of the annotated segments."""
        return tuple((round(part.start_s * 1_000_000), round(part.end_s * 1_000_000)) for part in self.parts)


def fingerprint() -> str:
    """Return the fingerprint of the set that `write` makes by default, from its parameters and without drawing."""
    parts = [NAME, VERSION, WIDTH_PX, HEIGHT_PX, dict(ENCODING), repr(plans()), IRISES, SCLERAS, METALS]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def write(root: Path, *, videos: Mapping[str, int] = VIDEOS) -> None:
    """Write the set below `root` unless it is there: videos, and the annotations as published.

    The folder is complete or absent.
    """
    if (root / "annotation").is_dir():
        return
    try:
        with written_whole(root) as making:
            (making / "annotation").mkdir(parents=True)
            (making / "OphNet2024_all").mkdir()
            _write_annotations(making / "annotation", plans(tuple(videos.items())))
            for plan in plans(tuple(videos.items())):
                _write_video(making / "OphNet2024_all" / f"{plan.video_id}.mp4", plan)
    except OSError:
        # another process may have written the same set first
        if not (root / "annotation").is_dir():
            raise


@cache
def plans(videos: tuple[tuple[str, int], ...] = tuple(VIDEOS.items())) -> tuple[Plan, ...]:
    """Return what the videos of a set show, by the number of videos of each published split."""
    splits = [split for split, count in videos for _ in range(count)]
    order = sorted(range(len(splits)), key=lambda number: _between(0.0, 1.0, "order", number))
    return tuple(_plan(number, splits[place]) for number, place in enumerate(order, start=1))


def _plan(number: int, split: str) -> Plan:
    video_id = f"case_{number:04d}"
    fps = RATES[number % len(RATES)]
    num_frames = round(_between(*DURATIONS_S, video_id, "duration") * fps)
    num_parts = 2 + (num_frames > 66) + (num_frames > 100)
    length_s = (num_frames / fps - GAP_S * (num_parts - 1)) / num_parts
    starts = [part * (length_s + GAP_S) for part in range(num_parts)]
    shift = ACTIONS.index(_pick(ACTIONS, video_id, "action"))
    parts = tuple(
        Part(start_s=round(start, 2), end_s=round(start + length_s, 2), action=ACTIONS[(shift + turn) % len(ACTIONS)])
        for turn, start in enumerate(starts)
    )
    return Plan(video_id=video_id, split=split, fps=fps, num_frames=num_frames, parts=parts)


def _write_annotations(folder: Path, planned: Sequence[Plan]) -> None:
    rows = [
        {
            "video_id": plan.video_id, "start": f"{part.start_s:g}", "end": f"{part.end_s:g}", "split": plan.split,
            "surgery_id": part.action.surgery_id, "phase_id": part.action.phase_id,
            "operation_id": part.action.operation_id,
        }
        for plan in planned
        for part in plan.parts
    ]  # fmt: skip
    _write_csv(folder / "OphNet2024_loca_all.csv", rows)
    _write_csv(folder / "OphNet2024_loca_challenge.csv", rows)
    _write_csv(folder / "OphNet2024_loca_challenge_phase.csv", _phases(rows))
    labels = [
        {"video_id": plan.video_id, "surgery": ",".join(sorted({str(part.action.surgery_id) for part in plan.parts}))}
        for plan in planned
    ]
    _write_csv(folder / "OphNet2024_surgery.csv", labels)


def _phases(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Join the consecutive rows of one phase."""
    joined = []
    for _, group in groupby(rows, key=lambda row: (row["video_id"], row["surgery_id"], row["phase_id"])):
        same = list(group)
        whole = {**same[0], "end": same[-1]["end"]}
        del whole["operation_id"]
        joined.append(whole)
    return joined


def _write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as file:  # the published files begin with a byte order mark
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)


def _write_video(path: Path, plan: Plan) -> None:
    import av

    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=plan.fps, options=dict(ENCODING))
        stream.width, stream.height, stream.pix_fmt = WIDTH_PX, HEIGHT_PX, "yuv420p"
        for frame in frames(plan):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode())


def frames(plan: Plan) -> list[Pixels]:
    """Draw the frames of a video."""
    operation = _Operation(plan)
    return [operation.frame(number / plan.fps) for number in range(plan.num_frames)]


def _between(low: float, high: float, *parts: str | int) -> float:
    """Return a number between two others that depends on the parts alone."""
    text = "\x1f".join([NAME, *(str(part) for part in parts)])
    return low + (high - low) * int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / 2**48


def _pick(options: Sequence[T], *parts: str | int) -> T:
    """Return one of several options; the parts alone decide which."""
    return options[int(_between(0.0, 1.0, *parts) * len(options))]


def _smooth(share: float) -> float:
    """Return a share that starts and ends without a jolt."""
    share = min(max(share, 0.0), 1.0)
    return share * share * (3 - 2 * share)


class _Operation:
    """The scene of one video, drawn at any time of it. Lengths are in frame heights, relative to the pupil."""

    def __init__(self, plan: Plan) -> None:
        def draw(what: str, low: float, high: float) -> float:
            return _between(low, high, plan.video_id, what)

        self.plan = plan
        self.centre = (draw("centre x", -0.09, 0.09), draw("centre y", -0.05, 0.05))
        self.size = draw("size", 0.9, 1.12)
        self.iris = _pick(IRISES, plan.video_id, "iris")
        self.sclera = _pick(SCLERAS, plan.video_id, "sclera")
        self.metal = _pick(METALS, plan.video_id, "metal")
        self.reflex = (draw("reflex red", 0.62, 0.88), draw("reflex green", 0.2, 0.42), draw("reflex blue", 0.08, 0.2))
        self.cloud = draw("cloud", 0.25, 0.6)
        self.entry = draw("entry", -0.5, 0.9)  # angle of the hand, to the right
        self.tear_from, self.tear_way = draw("tear from", 0.0, math.tau), _pick((1, -1), plan.video_id, "tear way")
        self.beat, self.phase = draw("beat", 0.8, 1.25), draw("phase", 0.0, math.tau)
        self.fibres = _pick(range(13, 22), plan.video_id, "fibres")
        rows, columns = np.mgrid[:HEIGHT_PX, :WIDTH_PX].astype(np.float32)
        self.x: Plane = (columns + 0.5 - WIDTH_PX / 2) / HEIGHT_PX
        self.y: Plane = (rows + 0.5) / HEIGHT_PX - 0.5
        self.vignette: Plane = 1 - 0.55 * (self.x**2 + self.y**2)

    def frame(self, time: float) -> Pixels:
        x, y = self._pressed(time)
        radius, angle = np.sqrt(x**2 + y**2), np.arctan2(y, x)
        picture = self._eye(radius, angle, time)
        self._lens(picture, x, y, radius, angle, time)
        for tip, hand in self._instruments(time):
            self._instrument(picture, tip, hand)
        self._reflections(picture, time)
        light = 1 + 0.1 * math.sin(2.2 * self.beat * time + self.phase) + 0.05 * math.sin(5 * time)
        return (np.clip(picture * (light * self.vignette), 0, 1) * 255 + 0.5).astype(np.uint8).transpose(1, 2, 0)

    def _drift(self, time: float) -> Point:
        """Return where the pupil is: the eye turns a little all the time."""
        x, y = self.centre
        way = 2.6 * self.beat * time + self.phase
        return x + 0.035 * math.sin(way), y + 0.03 * math.cos(0.8 * way)

    def _working(self, name: str, time: float) -> tuple[float, float]:
        """Return how much an action is going on (0 to 1) and how much of it is done."""
        for part in self.plan.parts:
            if part.action.name == name:
                inside = min(time - part.start_s, part.end_s - time) / GAP_S + 0.5
                return _smooth(inside), _smooth((time - part.start_s) / (part.end_s - part.start_s))
        return 0.0, 0.0

    def _instruments(self, time: float) -> list[tuple[Point, Point]]:
        """Return tip and hand of both instruments; the second one helps from the other side."""
        ways = [(self._working(action.name, time)[0], self._path(action.name, time)) for action in ACTIONS]
        rest = (0.42 * math.cos(self.entry), 0.42 * math.sin(self.entry))
        share = sum(weight for weight, _ in ways)
        away = max(1 - share, 0.0)
        tip = tuple(sum(weight * path[axis] for weight, path in ways) + away * rest[axis] for axis in (0, 1))
        at = self._drift(time)
        hand = (at[0] + 1.3 * math.cos(self.entry), at[1] + 1.3 * math.sin(self.entry))
        helps = self._working("quarter", time)[0] + 0.6 * self._working("sculpt", time)[0]
        far = 0.75 - 0.6 * helps + 0.07 * math.sin(7 * self.beat * time)
        side = self.entry + math.pi - 0.5 + 0.25 * math.sin(4 * time)
        second = (at[0] + far * math.cos(side), at[1] + far * math.sin(side))
        second_hand = (at[0] + 1.5 * math.cos(side), at[1] + 1.5 * math.sin(side))
        return [((at[0] + tip[0], at[1] + tip[1]), hand), (second, second_hand)]

    def _path(self, name: str, time: float) -> Point:
        """Return where the tip is in an action, relative to the pupil."""
        turn = math.tau * self.beat * time + self.phase
        cos, sin = math.cos(self.entry), math.sin(self.entry)
        done = self._working(name, time)[1]
        match name:
            case "cut":
                along, across = 0.36 + 0.13 * math.sin(1.3 * turn), 0.1 * math.sin(0.65 * turn)
            case "sculpt":
                along, across = 0.2 * math.sin(1.2 * turn), 0.12 * math.sin(0.4 * turn)
            case "polish":
                along, across = 0.15 * math.cos(1.1 * turn), 0.15 * math.sin(1.1 * turn)
            case "quarter":
                along, across = 0.08 + 0.08 * math.sin(turn), 0.18 * math.sin(1.4 * turn)
            case "insert":
                along, across = 0.55 - 0.5 * done, 0.06 * math.sin(turn)
            case _:
                torn = self.tear_from + self.tear_way * math.tau * done
                return 0.19 * math.cos(torn), 0.19 * math.sin(torn)
        return along * cos - across * sin, along * sin + across * cos

    def _pressed(self, time: float) -> tuple[Plane, Plane]:
        """Return the coordinates of the tissue that each pixel shows; it is drawn towards a tip that presses."""
        (tip_x, tip_y), _ = self._instruments(time)[0]
        at_x, at_y = self._drift(time)
        press = 0.35 + 0.25 * math.sin(math.tau * 1.1 * self.beat * time)
        from_x, from_y = self.x - tip_x, self.y - tip_y
        pull = press * np.exp(-(from_x**2 + from_y**2) / 0.016)
        return (
            ((self.x - at_x) + pull * from_x) / np.float32(self.size),
            ((self.y - at_y) + pull * from_y) / np.float32(self.size),
        )

    def _eye(self, radius: Plane, angle: Plane, time: float) -> Picture:
        """Paint sclera, vessels, iris and pupil."""
        vessels = np.abs(np.sin(4.5 * angle + 1.6 * np.sin(11 * radius + self.phase) + self.phase))
        picture = _colour(self.sclera) * (1.08 - 0.25 * radius)
        _paint(picture, (0.72, 0.2, 0.2), 0.75 * np.clip(1 - vessels * radius * 9, 0, 1) * _inside(0.5 - radius))
        fibres = 0.5 + 0.28 * np.cos(self.fibres * angle + 9 * radius + self.phase)
        fibres += 0.22 * np.cos((2 * self.fibres + 3) * angle - 14 * radius)
        _paint(picture, self.iris, _inside(radius - 0.44), light=0.6 + 0.75 * fibres)
        _paint(picture, (0.16, 0.11, 0.1), 0.75 * np.exp(-((radius - 0.44) ** 2) / 0.0009))
        pupil = 0.3 + 0.018 * math.sin(3.1 * self.beat * time + self.phase)
        _paint(picture, self.reflex, _inside(radius - pupil), light=1.2 - 1.6 * radius)
        _paint(picture, (0.1, 0.05, 0.05), 0.6 * np.exp(-((radius - pupil) ** 2) / 0.0003))
        return picture

    def _lens(
        self, picture: Picture,
        x: Plane, y: Plane, radius: Plane, angle: Plane, time: float,
    ) -> None:  # fmt: skip
        """Paint what is in the pupil: the cloudy lens, the opening that is torn into its capsule, the new lens."""
        cloud = self.cloud * (0.75 + 0.25 * np.cos(9 * x + self.phase) * np.cos(8 * y - self.phase))
        _paint(picture, (0.82, 0.76, 0.6), cloud * np.clip((0.29 - radius) * 14, 0, 1))
        working, done = self._working("tear", time)
        if working > 0:
            behind = np.mod(self.tear_way * (angle - self.tear_from), math.tau) - math.tau * done
            torn = np.clip(0.5 - behind * radius * HEIGHT_PX, 0, 1) * _inside(radius - 0.19)
            _paint(picture, self.reflex, working * torn, light=1.45 - 1.4 * radius)
            edge = np.exp(-((radius - 0.19) ** 2) / 0.00012) * np.clip(0.5 - behind * radius * HEIGHT_PX, 0, 1)
            _paint(picture, (0.98, 0.94, 0.86), 0.8 * working * edge)
        working, done = self._working("insert", time)
        if working > 0:
            along = 0.5 * (1 - done)
            at_x, at_y = x - along * math.cos(self.entry), y - along * math.sin(self.entry)
            turned = np.arctan2(at_y, at_x) - 4 * done
            new = np.hypot(at_x, at_y) - (0.07 + 0.12 * done) * (1 + 0.16 * np.cos(2 * turned))
            _paint(picture, (0.62, 0.8, 0.95), 0.45 * working * _inside(new))
            _paint(picture, (0.95, 0.98, 1.0), 0.85 * working * np.exp(-(new**2) / 0.0001))

    def _instrument(self, picture: Picture, tip: Point, hand: Point) -> None:
        """Paint a tapered shaft with a bright middle and its shadow, from outside the frame to the tip."""
        if abs(tip[0]) > 0.75 or abs(tip[1]) > 0.6:  # outside
            return
        shadow, _ = self._shaft((tip[0] + 0.035, tip[1] + 0.035), hand)
        _paint(picture, (0.12, 0.06, 0.05), 0.4 * shadow)
        shaft, shine = self._shaft(tip, hand)
        _paint(picture, self.metal, shaft, light=shine)

    def _shaft(self, tip: Point, hand: Point) -> tuple[Plane, Plane]:
        """Return where a shaft is, and how bright."""
        length = math.hypot(hand[0] - tip[0], hand[1] - tip[1])
        along_x, along_y = (hand[0] - tip[0]) / length, (hand[1] - tip[1]) / length
        x, y = self.x - tip[0], self.y - tip[1]
        along = np.clip(x * along_x + y * along_y, 0, length)
        away = np.sqrt((x - along * along_x) ** 2 + (y - along * along_y) ** 2)
        half = 0.012 + 0.05 * np.clip(along * 2.2, 0, 0.75)
        return _inside(away - half), 0.45 + 1.1 * np.exp(-((away / half) ** 2) * 2)

    def _reflections(self, picture: Picture, time: float) -> None:
        """Paint the lamps of the microscope, which the wet surface mirrors and which hardly follow the eye."""
        at_x, at_y = self._drift(time)
        rows = slice(0, HEIGHT_PX // 2)  # they are in the upper half
        for number, (from_x, from_y, size) in enumerate(((-0.1, -0.12, 0.0011), (0.07, -0.16, 0.0006))):
            x, y = self.x[rows] - 0.4 * at_x - from_x, self.y[rows] - 0.4 * at_y - from_y
            flicker = 0.85 + 0.15 * math.sin(9 * time + 2 * number)
            _paint(picture[:, rows], (1.0, 1.0, 0.97), flicker * np.exp(-(x**2 + 1.6 * y**2) / size))


def _colour(colour: Colour) -> Picture:
    return np.asarray(colour, np.float32)[:, None, None]


def _paint(picture: Picture, colour: Colour, cover: Plane, *, light: Plane | None = None) -> None:
    """Blend a colour into the picture where `cover` is above 0; `light` is its brightness."""
    picture *= 1 - cover
    picture += _colour(colour) * (cover if light is None else cover * light)


def _inside(distance: Plane) -> Plane:
    """Return 1 inside of an outline and 0 outside, with an edge of one pixel, by the distance from the outline."""
    return np.clip(0.5 - distance * HEIGHT_PX, 0, 1)
