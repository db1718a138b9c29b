"""Procedural clips of one object that moves over a landscape or a plain sky, under a camera at rest.

They are the second half of the source domain, beside scenes.py. Natural video has foregrounds, plain backgrounds and
motion that reverses; without them a base model learns only how textures slide. The toy stickers share no outline,
caption noun or motion phrase with these clips.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from rdtf_bench.core.seeds import generator_for
from rdtf_bench.data.toy.scenes import SCENES, Colour, between, draw_below, paint

NAME = "toy-movers"
VERSION = 1  # any change that can move a pixel or a caption
SUPERSAMPLING = 2
MAX_PLACE = 0.12  # largest distance of the resting centre from the middle, in frame sides

SKIES: Mapping[str, Colour] = {
    "a pale sky": (0.97, 0.97, 0.98),
    "a clear sky": (0.56, 0.76, 0.95),
    "grey fog": (0.72, 0.74, 0.76),
    "the night sky": (0.08, 0.09, 0.2),
}


@dataclass(frozen=True, kw_only=True)
class Thing:
    """An outline in polar coordinates: its ratio of length to width, and the size of its bumps."""

    stretch: float
    bumps: float


THINGS: Mapping[str, Thing] = {
    "balloon": Thing(stretch=1.2, bumps=0.0),
    "boulder": Thing(stretch=1.0, bumps=0.12),
    "leaf": Thing(stretch=1.7, bumps=0.04),
    "cloud of dust": Thing(stretch=0.75, bumps=0.2),
}


@dataclass(frozen=True, kw_only=True)
class Motion:
    """The displacement at the end of a motion, with lengths in frame sides.

    If `returns` is set, it is reached half way and is 0 again at the end.
    """

    x: float = 0.0
    y: float = 0.0  # down
    turn: float = 0.0  # radians
    zoom: float = 1.0
    widen: float = 1.0  # factor of the width; the height is divided by it
    returns: bool = False


MOTIONS: Mapping[str, Motion] = {
    "drifts to the left over": Motion(x=-0.3),
    "drifts to the right over": Motion(x=0.3),
    "rises above": Motion(y=-0.3),
    "falls before": Motion(y=0.3),
    "rolls to the left over": Motion(x=-0.3, turn=-2.5),
    "rolls to the right over": Motion(x=0.3, turn=2.5),
    "turns around above": Motion(turn=math.tau * 7 / 8),
    "comes nearer over": Motion(zoom=1.6),
    "goes away over": Motion(zoom=1 / 1.6),
    "bounces over": Motion(y=-0.25, returns=True),
    "swings to the left before": Motion(x=-0.22, turn=-0.5, returns=True),
    "swings to the right before": Motion(x=0.22, turn=0.5, returns=True),
    "breathes in front of": Motion(zoom=1.5, returns=True),
    "flattens against": Motion(widen=1.4, returns=True),
}


def clip(index: int, *, seed: int, num_frames: int = 8, size_px: int = 64) -> tuple[UInt8[Tensor, "F C H W"], str]:
    """Return clip number `index` of a seed's endless set, and its caption."""
    generator = generator_for(NAME, VERSION, seed, index)
    kind = list(THINGS)[draw_below(len(THINGS), generator)]
    text = list(MOTIONS)[draw_below(len(MOTIONS), generator)]
    side_px = size_px * SUPERSAMPLING
    place, behind = _background(side_px, generator)
    inside = _coverage(THINGS[kind], MOTIONS[text], num_frames, side_px, generator)
    frames = torch.lerp(behind, _surface(side_px, generator), inside)
    pixels = (F.avg_pool2d(frames, SUPERSAMPLING) * 255).round().clamp(0, 255).byte()
    return pixels, f"a {kind} {text} {place}"


def _background(side_px: int, generator: torch.Generator) -> tuple[str, Float[Tensor, "1 C side side"]]:
    if draw_below(2, generator):
        place = list(SCENES)[draw_below(len(SCENES), generator)]
        return place, paint(SCENES[place], side_px, generator)
    place = list(SKIES)[draw_below(len(SKIES), generator)]
    light = torch.linspace(1.0, between(0.9, 1.05, generator), side_px)[:, None].expand(side_px, side_px)
    return place, (torch.tensor(SKIES[place])[:, None, None] * light).clamp(0, 1)[None]


def _surface(side_px: int, generator: torch.Generator) -> Float[Tensor, "1 C side side"]:
    """Paint one colour of any hue with a little noise in its brightness; it rests while the outline moves."""
    colour = torch.rand(3, generator=generator)
    # stretched between a dark and a bright channel, so that the colour is saturated
    colour = (colour - colour.min()) / (colour.max() - colour.min()).clamp(min=0.1)
    colour = between(0.0, 0.35, generator) + between(0.5, 0.65, generator) * colour
    noise = F.interpolate(torch.randn(1, 1, 6, 6, generator=generator), (side_px, side_px), mode="bicubic")
    return (colour[:, None, None] * (1 + 0.06 * noise)).clamp(0, 1)


def _coverage(
    thing: Thing, motion: Motion, num_frames: int, side_px: int, generator: torch.Generator
) -> Float[Tensor, "F 1 side side"]:
    """Return 1 inside the outline and 0 outside, with an edge of one supersampled pixel."""
    radius = between(0.16, 0.26, generator)
    strength = between(0.8, 1.2, generator)
    at_x, at_y = (between(-MAX_PLACE, MAX_PLACE, generator) for _ in range(2))
    start = between(-math.pi, math.pi, generator)
    bumps = [
        (order, thing.bumps * between(0.3, 1.0, generator) / order**0.5, between(0.0, math.tau, generator))
        for order in (2, 3, 5)
    ]
    when = torch.arange(num_frames) / num_frames
    way = (1 - torch.cos(math.tau * when)) / 2 if motion.returns else when - 0.5
    way = strength * way[:, None, None]
    pixel = (torch.arange(side_px) + 0.5) / side_px - 0.5
    rows, columns = torch.meshgrid(pixel, pixel, indexing="ij")
    x, y = columns - at_x - motion.x * way, rows - at_y - motion.y * way
    angle = start * (thing.stretch != 1) + motion.turn * way
    turned_x, turned_y = angle.cos() * x + angle.sin() * y, angle.cos() * y - angle.sin() * x
    grown = motion.zoom**way
    wide = motion.widen**way
    turned_x, turned_y = turned_x / (grown * wide), turned_y / (grown / wide * thing.stretch)
    distance = (turned_x.square() + turned_y.square()).sqrt()
    towards = torch.atan2(turned_y, turned_x)
    edge = radius * (1 + sum(size * torch.cos(order * towards + phase) for order, size, phase in bumps))
    return ((edge - distance) * side_px + 0.5).clamp(0, 1)[:, None]
