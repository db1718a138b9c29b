"""Animated sticker generation (ASG): the toy stickers, the Fluent emoji, or a user's folder.

Importing the module does not import torch.
"""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rdtf_bench.core.dataset import FramesBy
from rdtf_bench.core.errors import DataError
from rdtf_bench.data import fluent
from rdtf_bench.data.reading.folder import Chosen, Clip, Folder, Progress, choose, clustering, fingerprint
from rdtf_bench.data.reading.folder import read as read_folder
from rdtf_bench.data.toy import stickers as toy_stickers

if TYPE_CHECKING:
    from jaxtyping import UInt8
    from torch import Tensor

__all__ = [
    "Builtin",
    "Chosen",
    "Clip",
    "Folder",
    "all_frames",
    "builtin",
    "choose",
    "clip_frames",
    "clustering",
    "fingerprint",
    "prepare",
    "read",
]


LONG = "toy-long"
LONG_COUNTS = {"train": 8, "validation": 64, "test": 64}
LONG_MIN_FRAMES = 16


@dataclass(frozen=True, kw_only=True)
class Builtin:
    """The dataset that is used if no folder is named; its content is known without writing it."""

    fingerprint: str
    counts: Mapping[str, int]


def builtin() -> Builtin:
    """Return the fingerprint and the counts of the toy stickers."""
    return Builtin(fingerprint=f"{toy_stickers.NAME}-{toy_stickers.fingerprint()}", counts=toy_stickers.COUNTS)


def prepare(source: str | None, *, store: Path) -> Path:
    """Return the folder of a source.

    - None: the toy stickers, which are written if they are not there yet.
    - "toy-long": toy stickers of at least 17 frames each, written likewise.
    - "fluent": the folder that `rdtf-bench data fetch fluent` made.
    - Anything else is a path. A user's own folder with the name of a source is given as "./fluent".
    """
    if source is None:
        root = store / "data" / builtin().fingerprint
        toy_stickers.write(root)
        return root
    if source == LONG:
        root = store / "data" / f"{LONG}-{toy_stickers.fingerprint()}"
        toy_stickers.write(root, counts=LONG_COUNTS, min_frames=LONG_MIN_FRAMES)
        return root
    if source == fluent.NAME:
        root = fluent.root_in(store)
        if not (root / fluent.METADATA).is_file():
            raise DataError(
                f"{root}: the fluent data is not there. Get it with `rdtf-bench data fetch fluent`. "
                "To use your own folder of that name, write ./fluent."
            )
        fluent.require_clusters(root)
        return root
    return Path(source)


def read(root: Path, *, name: str = "asg", cache: Path | None = None, on_progress: Progress | None = None) -> Folder:
    """Read the clips of a folder; `cache` is a folder of indexes, one per data folder."""
    key = hashlib.sha256(os.fsencode(root.resolve())).hexdigest()[:16]
    index = cache / f"{name}-{key}.json" if cache else None
    return read_folder(root, name=name, cache=index, on_progress=on_progress)


def clip_frames(
    path: Path, *, num_frames: int, size_px: int, frames_by: FramesBy = "index"
) -> "UInt8[Tensor, 'F C H W']":
    """Decode the frames that are scored, at equal intervals over the whole loop."""
    from rdtf_bench.data.reading.decode import decode, numbers_by_time  # torch

    if frames_by == "time":
        return decode(path, size_px=size_px, indices=numbers_by_time(path, count=num_frames))
    frames = decode(path, size_px=size_px, most=num_frames)
    if len(frames) < num_frames:
        raise DataError(f"{path}: has {len(frames)} frames, and a clip that is scored needs {num_frames}")
    return frames


def all_frames(path: Path, *, most: int, size_px: int, frames_by: FramesBy = "index") -> "UInt8[Tensor, 'F C H W']":
    """Decode the frames for training: as many as the file has, or `most` if it has more, at equal intervals."""
    from rdtf_bench.data.reading.decode import decode, numbers_by_time  # torch

    if frames_by == "time":
        return decode(path, size_px=size_px, indices=numbers_by_time(path, most=most))
    return decode(path, size_px=size_px, most=most)
