"""A procedural set of animated stickers, written as real GIF files: one big shape with a face and one simple motion.

It stands in for animated sticker generation (ASG) if no real stickers are given. A caption names subject, style and
action ("an outlined red star jumping"). Every motion starts from the rest pose, so that the first frame does not reveal
the action. It makes one loop, which eight frames at equal intervals show. No pair of subject and action is in two
splits.
"""

import hashlib
import json
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFilter

from rdtf_bench.core.store import written_whole

NAME = "toy-asg"
VERSION = 1  # any change that can move a pixel or a caption
SIZE_PX = 64
SUPERSAMPLING = 4
COUNTS: Mapping[str, int] = {"train": 640, "validation": 128, "test": 128}
PAIRS_PER_ACTION: Mapping[str, int] = {"test": 8, "validation": 8, "train": 32}  # of the 48 subjects

COLOURS: Mapping[str, tuple[int, int, int]] = {
    "red": (224, 49, 49),
    "orange": (247, 126, 20),
    "yellow": (250, 206, 20),
    "green": (47, 158, 68),
    "blue": (34, 110, 230),
    "purple": (126, 58, 210),
    "pink": (246, 120, 180),
    "brown": (135, 84, 48),
}
SHAPES = ("circle", "square", "triangle", "star", "heart", "diamond")
ACTIONS = (
    "jumping",
    "sliding left",
    "sliding right",
    "spinning",
    "growing",
    "shrinking",
    "squashing",
    "rocking",
)
STYLES: Mapping[str, str] = {
    "flat": "a {colour} {shape} {action}",
    "outlined": "an outlined {colour} {shape} {action}",
    "shadow": "a {colour} {shape} with a shadow {action}",
}
# (fewest, most, share): most stickers are short and a few long, about 13 frames on average
FRAME_COUNTS = ((4, 7, 0.12), (8, 8, 0.22), (9, 12, 0.30), (13, 16, 0.16), (17, 24, 0.13), (25, 32, 0.07))
MIN_FRAMES_TO_SCORE = 8  # validation and test have no shorter stickers
DURATIONS_MS = (70, 80, 100, 120, 170, 250)  # 14 to 4 frames per second; GIF durations are multiples of 10 ms
DARK = (38, 34, 48)
SHADE = (198, 198, 206)
WHITE = (255, 255, 255)

Point = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class Draw:
    """The parameters of one sticker; lengths are fractions of the frame."""

    colour: str
    shape: str
    action: str
    style: str
    num_frames: int
    duration_ms: int
    radius: float
    centre: Point
    amplitude: float  # 1 is the nominal size of the action
    tint: tuple[int, int, int]

    @property
    def caption(self) -> str:
        """Return the caption of the sticker."""
        return STYLES[self.style].format(colour=self.colour, shape=self.shape, action=self.action)


@dataclass(frozen=True, kw_only=True)
class Pose:
    """The pose of the shape: offset in fractions of the frame, scales, clockwise angle in radians."""

    dx: float = 0.0
    dy: float = 0.0
    scale_x: float = 1.0
    scale_y: float = 1.0
    angle: float = 0.0


def fingerprint() -> str:
    """Return the fingerprint of the set that `write` makes by default, from its parameters and without drawing."""
    parts = [
        NAME,
        VERSION,
        SIZE_PX,
        SUPERSAMPLING,
        dict(COUNTS),
        dict(PAIRS_PER_ACTION),
        dict(COLOURS),
        SHAPES,
        ACTIONS,
    ]
    parts += [dict(STYLES), FRAME_COUNTS, DURATIONS_MS, DARK, SHADE]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def write(root: Path, *, seed: int = 0, counts: Mapping[str, int] = COUNTS, min_frames: int = 0) -> None:
    """Write the set below `root` unless it is there: GIF files and `metadata.jsonl` (file_name, text, split).

    The folder is complete or absent. Another seed draws other stickers of the same pairs. `min_frames` excludes shorter
    stickers.
    """
    if (root / "metadata.jsonl").is_file():
        return
    try:
        with written_whole(root) as making:
            making.mkdir()
            rows = [
                _write_clip(making, split, sticker(split, index, seed=seed, min_frames=min_frames), index)
                for split in sorted(counts)
                for index in range(counts[split])
            ]
            (making / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    except OSError:
        # another process may have written the same set first
        if not (root / "metadata.jsonl").is_file():
            raise


def _write_clip(root: Path, split: str, draw: Draw, index: int) -> dict[str, str]:
    words = f"{draw.colour} {draw.shape} {draw.action}".replace(" ", "-")
    path = root / split / f"{index:05d}-{words}.gif"
    path.parent.mkdir(exist_ok=True)
    frames = render(draw)
    # disposal 2: each frame replaces the one before; else transparent pixels would show earlier frames
    frames[0].save(
        path,
        save_all=True,
        append_images=frames[1:],
        duration=draw.duration_ms,
        loop=0,
        disposal=2,
        transparency=frames[0].info["transparency"],
        optimize=False,
    )
    return {"file_name": path.relative_to(root).as_posix(), "text": draw.caption, "split": split}


@cache
def pairs(split: str) -> tuple[tuple[str, str, str], ...]:
    """Return the (colour, shape, action) triples of a split; every action has equally many."""
    chosen = []
    for action in ACTIONS:
        subjects = [(colour, shape) for colour in COLOURS for shape in SHAPES]
        subjects.sort(key=lambda subject: _digest(NAME, "pairs", *subject, action))
        start = 0
        for name, count in PAIRS_PER_ACTION.items():
            if name == split:
                chosen += [(*subject, action) for subject in subjects[start : start + count]]
            start += count
    return tuple(sorted(chosen, key=lambda pair: _digest(NAME, "order", *pair)))


def sticker(split: str, index: int, *, seed: int = 0, min_frames: int = 0) -> Draw:
    """Return sticker number `index` of a split, with at least `min_frames` frames, from these arguments alone."""
    in_split = pairs(split)
    turn, place = divmod(index, len(in_split))
    colour, shape, action = in_split[place]
    # random() is the only method whose stream Python guarantees between versions
    rng = random.Random(int(_digest(NAME, seed, split, index), 16))
    styles = tuple(STYLES)
    fewest = max(min_frames, 0 if split == "train" else MIN_FRAMES_TO_SCORE)
    return Draw(
        colour=colour,
        shape=shape,
        action=action,
        style=styles[(turn + int(_digest(NAME, seed, "style", colour, shape, action), 16)) % len(styles)],
        num_frames=_draw_num_frames(rng, fewest=fewest),
        duration_ms=DURATIONS_MS[int(rng.random() * len(DURATIONS_MS))],
        radius=0.22 + 0.05 * rng.random(),
        centre=(0.5 + 0.06 * (rng.random() - 0.5), 0.54 + 0.06 * (rng.random() - 0.5)),
        amplitude=0.85 + 0.3 * rng.random(),
        tint=(_tint(rng, COLOURS[colour][0]), _tint(rng, COLOURS[colour][1]), _tint(rng, COLOURS[colour][2])),
    )


def _draw_num_frames(rng: random.Random, *, fewest: int) -> int:
    bins = [(low, high, share) for low, high, share in FRAME_COUNTS if low >= fewest]
    at = rng.random() * sum(share for _, _, share in bins)
    within = rng.random()
    for low, high, share in bins:
        if at < share:
            return low + int(within * (high - low + 1))
        at -= share
    return bins[-1][1]


def _tint(rng: random.Random, level: int) -> int:
    return min(255, max(0, level + round(24 * (rng.random() - 0.5))))


def _digest(*parts: str | int) -> str:
    return hashlib.sha256("\x1f".join(str(part) for part in parts).encode()).hexdigest()


def pose_at(action: str, phase: float, amplitude: float) -> Pose:
    """Return the pose at a phase in [0, 1) of the loop; phase 0 is the rest pose of every action."""
    out = amplitude * (1 - math.cos(math.tau * phase)) / 2  # 0, up to the amplitude, and back
    match action:
        case "jumping":
            return Pose(dy=-0.22 * out)
        case "sliding left":
            return Pose(dx=-0.2 * out)
        case "sliding right":
            return Pose(dx=0.2 * out)
        case "spinning":
            return Pose(angle=math.tau * phase)
        case "growing":
            return Pose(scale_x=1 + 0.5 * out, scale_y=1 + 0.5 * out)
        case "shrinking":
            return Pose(scale_x=1 - 0.45 * out, scale_y=1 - 0.45 * out)
        case "squashing":
            return Pose(scale_x=1 + 0.4 * out, scale_y=1 - 0.5 * out, dy=0.11 * out)
        case "rocking":
            swing = amplitude * math.sin(math.tau * phase)
            return Pose(angle=0.7 * swing, dx=0.08 * swing)
    raise KeyError(action)


def render(draw: Draw) -> list[Image.Image]:
    """Draw palette frames with one transparent index.

    No frame equals its neighbour, because Pillow would merge the two.
    """
    palette, transparent = _palette(draw.tint)
    frames: list[Image.Image] = []
    nudge = 0.0
    while len(frames) < draw.num_frames:
        # ** 0.9: the way out is faster than the way back, so that frames around the turning point differ
        phase = ((len(frames) + nudge) / draw.num_frames) ** 0.9
        frame = _paint(draw, pose_at(draw.action, phase, draw.amplitude), palette, transparent)
        if frames and frame.tobytes() == frames[-1].tobytes():
            nudge += 0.1
            continue
        nudge = 0.0
        frames.append(frame)
    return frames


def _paint(draw: Draw, pose: Pose, palette: Image.Image, transparent: int) -> Image.Image:
    side = SIZE_PX * SUPERSAMPLING
    canvas = Image.new("RGB", (side, side), WHITE)
    pen = ImageDraw.Draw(canvas)
    if draw.style == "shadow":
        pen.polygon(_shadow(draw, pose, side), fill=SHADE)
    if draw.style == "outlined":
        pen.polygon(_place(OUTLINES[draw.shape], draw, pose, side, grow=1.1), fill=DARK)
        pen.polygon(_place(OUTLINES[draw.shape], draw, pose, side, grow=0.9), fill=draw.tint)
    else:
        pen.polygon(_place(OUTLINES[draw.shape], draw, pose, side), fill=draw.tint)
    for part in FACE:
        pen.polygon(_place(part, draw, pose, side), fill=DARK)
    drawn = canvas.reduce(SUPERSAMPLING)
    frame = drawn.quantize(palette=palette, dither=Image.Dither.NONE)
    # the white rim of a die-cut sticker keeps the antialiased edge inside the opaque part
    outside = drawn.convert("L").filter(ImageFilter.MinFilter(5)).point(_IS_WHITE)
    frame.paste(transparent, mask=outside)
    frame.info = {"transparency": transparent}
    return frame


_IS_WHITE = [0] * 254 + [255] * 2


def _place(outline: Sequence[Point], draw: Draw, pose: Pose, side: int, *, grow: float = 1.0) -> list[Point]:
    cos, sin = math.cos(pose.angle), math.sin(pose.angle)
    size = draw.radius * grow * side
    x0, y0 = (draw.centre[0] + pose.dx) * side, (draw.centre[1] + pose.dy) * side
    placed = []
    for x, y in outline:
        x, y = x * pose.scale_x * size, y * pose.scale_y * size
        placed.append((x0 + cos * x - sin * y, y0 + sin * x + cos * y))
    return placed


def _shadow(draw: Draw, pose: Pose, side: int) -> list[Point]:
    """Return an ellipse on the ground, which follows the shape sideways and is narrower during a jump."""
    width = draw.radius * 0.95 * pose.scale_x * (1 + pose.dy if pose.dy < 0 else 1)
    x0, y0 = draw.centre[0] + pose.dx, draw.centre[1] + draw.radius * 1.12
    return [((x0 + width * x) * side, (y0 + 0.22 * draw.radius * y) * side) for x, y in OUTLINES["circle"]]


def _palette(tint: tuple[int, int, int]) -> tuple[Image.Image, int]:
    """Return a palette of all blends that antialiasing can make, in 16 steps each, and the transparent index."""
    blends = [(tint, WHITE), (DARK, WHITE), (DARK, tint), (SHADE, WHITE), (SHADE, tint), (SHADE, DARK)]
    colours = [
        tuple(round(a + (b - a) * step / 15) for a, b in zip(first, second, strict=True))
        for first, second in blends
        for step in range(16)
    ]
    image = Image.new("P", (1, 1))
    image.putpalette([level for colour in colours for level in colour])
    return image, len(colours)


def _regular(corners: int, *, radius: float = 1.0, turn: float = 0.0) -> tuple[Point, ...]:
    angles = [turn + math.tau * corner / corners - math.pi / 2 for corner in range(corners)]
    return tuple((radius * math.cos(angle), radius * math.sin(angle)) for angle in angles)


def _star() -> tuple[Point, ...]:
    outer, inner = _regular(5, radius=1.25), _regular(5, radius=0.68, turn=math.pi / 5)
    return tuple(point for both in zip(outer, inner, strict=True) for point in both)


def _heart() -> tuple[Point, ...]:
    turns = [math.tau * step / 48 for step in range(48)]
    return tuple(
        (
            1.1 * math.sin(t) ** 3,
            -(13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)) / 15 - 0.1,
        )
        for t in turns
    )


def _eye(x: float) -> tuple[Point, ...]:
    return tuple((x + 0.13 * px, -0.12 + 0.2 * py) for px, py in _regular(12))


def _mouth() -> tuple[Point, ...]:
    angles = [math.pi * step / 8 for step in range(9)]
    return tuple((0.3 * math.cos(angle), 0.2 + 0.26 * math.sin(angle)) for angle in angles)


OUTLINES: Mapping[str, tuple[Point, ...]] = {
    "circle": _regular(40),
    "square": _regular(4, radius=1.3, turn=math.pi / 4),
    "triangle": tuple((x, y + 0.12) for x, y in _regular(3, radius=1.35)),
    "star": _star(),
    "heart": _heart(),
    "diamond": tuple((0.85 * x, 1.25 * y) for x, y in _regular(4)),
}
FACE: tuple[tuple[Point, ...], ...] = (_eye(-0.32), _eye(0.32), _mouth())
