"""Procedural clips of textured landscapes under camera motion: a source domain without stickers.

The toy I2VGen-XL is pretrained on them, as the real one was on natural video, before baselines adapt it to stickers.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from torch import Tensor

from rdtf_bench.core.seeds import generator_for

NAME = "toy-scenes"
VERSION = 1  # any change that can move a pixel or a caption
CANVAS = 3.0  # side of the painted scene in frame sides, which leaves room for the camera to move

Colour = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A texture: the colours of its valleys, middles and peaks, and the shape of its noise."""

    low: Colour
    middle: Colour
    high: Colour
    cells_x: int  # cells of the coarsest octave over the canvas
    cells_y: int
    roughness: float  # ratio of the amplitudes of an octave and the one before it
    ridged: bool = False  # fold the noise, which gives crests and dunes instead of blobs


SCENES: Mapping[str, Scene] = {
    "green hills": Scene(
        low=(0.10, 0.25, 0.10), middle=(0.30, 0.52, 0.20), high=(0.68, 0.78, 0.42), cells_x=6, cells_y=7, roughness=0.5
    ),
    "brown hills": Scene(
        low=(0.22, 0.14, 0.10), middle=(0.48, 0.34, 0.22), high=(0.76, 0.64, 0.46), cells_x=6, cells_y=7, roughness=0.5
    ),
    "white clouds": Scene(
        low=(0.30, 0.52, 0.84), middle=(0.62, 0.76, 0.92), high=(0.97, 0.97, 0.98), cells_x=5, cells_y=7, roughness=0.45
    ),
    "storm clouds": Scene(
        low=(0.18, 0.20, 0.26), middle=(0.40, 0.43, 0.50), high=(0.74, 0.75, 0.78), cells_x=5, cells_y=7, roughness=0.55
    ),
    "sunset clouds": Scene(
        low=(0.30, 0.16, 0.38), middle=(0.86, 0.42, 0.32), high=(0.99, 0.82, 0.50), cells_x=4, cells_y=9, roughness=0.4
    ),
    "sea waves": Scene(
        low=(0.03, 0.14, 0.32), middle=(0.08, 0.38, 0.56), high=(0.80, 0.92, 0.95), cells_x=4, cells_y=12,
        roughness=0.45, ridged=True,
    ),
    "sand dunes": Scene(
        low=(0.58, 0.38, 0.20), middle=(0.84, 0.64, 0.38), high=(0.97, 0.87, 0.64), cells_x=5, cells_y=9,
        roughness=0.3, ridged=True,
    ),
    "snow fields": Scene(
        low=(0.56, 0.64, 0.78), middle=(0.84, 0.88, 0.94), high=(0.98, 0.98, 0.99), cells_x=5, cells_y=6, roughness=0.4
    ),
    "a dark forest": Scene(
        low=(0.02, 0.08, 0.05), middle=(0.08, 0.24, 0.12), high=(0.32, 0.46, 0.20), cells_x=12, cells_y=12,
        roughness=0.7,
    ),
    "red rocks": Scene(
        low=(0.26, 0.08, 0.06), middle=(0.60, 0.26, 0.16), high=(0.88, 0.56, 0.36), cells_x=8, cells_y=8,
        roughness=0.6, ridged=True,
    ),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Move:
    """The motion of the camera over a clip: path in frame sides (y down), zoom factor, rotation in radians."""

    x: float = 0.0
    y: float = 0.0
    zoom: float = 1.0
    turn: float = 0.0


MOVES: Mapping[str, Move] = {
    "a camera pans left over {scene}": Move(x=-0.6),
    "a camera pans right over {scene}": Move(x=0.6),
    "a camera moves up over {scene}": Move(y=-0.6),
    "a camera moves down over {scene}": Move(y=0.6),
    "a camera zooms in on {scene}": Move(zoom=1.8),
    "a camera zooms out of {scene}": Move(zoom=1 / 1.8),
    "a camera turns left above {scene}": Move(turn=-0.6),
    "a camera turns right above {scene}": Move(turn=0.6),
    "a camera drifts to the upper left over {scene}": Move(x=-0.4, y=-0.4),
    "a camera drifts to the lower right over {scene}": Move(x=0.4, y=0.4),
}


def clip(index: int, *, seed: int, num_frames: int = 8, size_px: int = 64) -> tuple[UInt8[Tensor, "F C H W"], str]:
    """Return clip number `index` of a seed's endless set, and its caption."""
    generator = generator_for(NAME, VERSION, seed, index)
    name = list(SCENES)[draw_below(len(SCENES), generator)]
    text = list(MOVES)[draw_below(len(MOVES), generator)]
    canvas = paint(SCENES[name], round(CANVAS * size_px), generator)
    windows = _windows(MOVES[text], num_frames, size_px, generator)
    # reflection, because a zoomed out and rotated frame may look past the canvas
    frames = F.grid_sample(
        canvas.expand(num_frames, -1, -1, -1), windows, mode="bilinear", padding_mode="reflection", align_corners=False
    )
    return (frames * 255).round().clamp(0, 255).byte(), text.format(scene=name)


def draw_below(count: int, generator: torch.Generator) -> int:
    """Draw an integer in 0..count - 1."""
    return int(torch.randint(count, (1,), generator=generator))


def between(low: float, high: float, generator: torch.Generator) -> float:
    """Draw a number uniformly between two others."""
    return low + (high - low) * float(torch.rand(1, generator=generator))


def _noise(scene: Scene, side_px: int, generator: torch.Generator) -> Float[Tensor, "side side"]:
    """Sum octaves of smooth noise and scale the sum to 0..1."""
    total = torch.zeros(1, 1, side_px, side_px)
    for octave in range(4):
        cells = (scene.cells_y * 2**octave, scene.cells_x * 2**octave)
        if max(cells) > side_px // 3:  # finer than a frame resolves
            break
        grid = torch.randn(1, 1, *cells, generator=generator)
        total += scene.roughness**octave * F.interpolate(grid, (side_px, side_px), mode="bicubic", align_corners=False)
    height = total[0, 0]
    if scene.ridged:
        height = -height.abs()
    height = (height - height.mean()) / height.std()
    return (0.5 + 0.25 * height).clamp(0, 1)


def paint(scene: Scene, side_px: int, generator: torch.Generator) -> Float[Tensor, "1 C side side"]:
    """Paint the texture of a scene with its own light."""
    height = _noise(scene, side_px, generator)
    low, middle, high = (torch.tensor(colour)[:, None, None] for colour in (scene.low, scene.middle, scene.high))
    rising, peak = (height * 2).clamp(max=1), (height * 2 - 1).clamp(min=0)
    colours = low + (middle - low) * rising + (high - middle) * peak
    light = between(0.8, 1.1, generator)
    slope = torch.linspace(between(-0.15, 0.15, generator), between(-0.15, 0.15, generator), side_px)
    return (colours * (light + slope[:, None])).clamp(0, 1)[None]


def _windows(move: Move, num_frames: int, size_px: int, generator: torch.Generator) -> Float[Tensor, "F H W 2"]:
    """Return the part of the canvas that each frame shows, in the coordinates of grid_sample."""
    speed = between(0.7, 1.3, generator)
    when = torch.arange(num_frames) / max(num_frames - 1, 1)
    centred = when - 0.5
    x = between(-0.4, 0.4, generator) + speed * move.x * centred
    y = between(-0.4, 0.4, generator) + speed * move.y * centred
    angle = between(-0.1, 0.1, generator) + speed * move.turn * centred
    # the zoom is centred at 1 in log space, so that zooming in and out show the same range of scales
    zoom = torch.exp(speed * math.log(move.zoom) * centred) * between(0.85, 1.15, generator)
    pixel = (torch.arange(size_px) + 0.5) / size_px - 0.5
    rows, columns = torch.meshgrid(pixel, pixel, indexing="ij")
    cos, sin, zoom = (value[:, None, None] for value in (angle.cos(), angle.sin(), zoom))
    at_x = (cos * columns - sin * rows) / zoom + x[:, None, None]
    at_y = (sin * columns + cos * rows) / zoom + y[:, None, None]
    return torch.stack((at_x, at_y), dim=-1) * (2 / CANVAS)
