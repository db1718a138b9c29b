"""What dataset modules, protocols and the harness agree on: clips, and how their frames are chosen and resized."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

FramesBy = Literal["index", "time"]
"""Whether frames are chosen at equal intervals of their numbers, as the paper's released loader does, or of time."""

Fit = Literal["stretch", "crop"]
"""Whether a frame is stretched to a square, as the paper's released loader does, or its central square is taken."""

LatentsDtype = Literal["float32", "float16"]
"""Type of the numbers in which latents of the training clips are stored."""


@dataclass(frozen=True, kw_only=True)
class Clip:
    """One clip of at least two frames: a whole file, a window of a video, or one picture per frame."""

    id: str
    path: Path  # a file, or the folder that the pictures lie in
    caption: str
    cluster: str  # clips of one cluster are not independent: one drawing, one caption, one video
    split: str
    num_frames: int
    sha256: str  # of what determines the pixels
    window: tuple[int, int] | None = None  # first frame and number of frames of a video, of which the clip is a part
    frames: tuple[Path, ...] = ()  # one picture per frame
    keyframes: tuple[int, ...] = ()  # numbers of the frames that the makers of the data chose for training, if they did
    size_px: tuple[int, int] | None = None  # width and height of the file's frames, if the reader knows them
    duration_us: int | None = None  # for how long the clip is shown, if the reader knows it


@dataclass(frozen=True, kw_only=True)
class Builtin:
    """The data that a dataset makes itself if no folder is named; they are known without writing them."""

    fingerprint: str
    counts: Mapping[str, int]  # clips by split
