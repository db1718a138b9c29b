"""Decodes the real clips of a split, which rows are compared with, into the store."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from rdtf_bench.core.dataset import Clip, Fit, FramesBy
from rdtf_bench.core.store import write_text
from rdtf_bench.core.video import VideoU8
from rdtf_bench.data.reading.clips import clip_frames


@dataclass(frozen=True)
class RealClips:
    """Decoded clips of a split."""

    ids: tuple[str, ...]
    captions: tuple[str, ...]
    video: VideoU8


def write_clips(
    folder: Path,
    clips: Sequence[Clip],
    *,
    num_frames: int,
    size_px: int,
    frames_by: FramesBy = "index",
    fit: Fit = "stretch",
) -> None:
    """Decode the clips of a split and write them with their ids and captions."""
    decoded = partial(clip_frames, num_frames=num_frames, size_px=size_px, frames_by=frames_by, fit=fit)
    video = [decoded(clip) for clip in clips]
    save_file({"video": torch.stack(video)}, folder / "clips.safetensors")
    names = {"ids": [clip.id for clip in clips], "captions": [clip.caption for clip in clips]}
    write_text(folder / "clips.json", json.dumps(names))


def read_ids(folder: Path) -> tuple[str, ...]:
    """Return the ids of the clips that `write_clips` wrote, without reading the frames."""
    return tuple(json.loads((folder / "clips.json").read_text(encoding="utf-8"))["ids"])


def read_clips(folder: Path) -> RealClips:
    """Return what `write_clips` wrote."""
    names = json.loads((folder / "clips.json").read_text(encoding="utf-8"))
    video = load_file(folder / "clips.safetensors")["video"]
    return RealClips(ids=tuple(names["ids"]), captions=tuple(names["captions"]), video=video)
