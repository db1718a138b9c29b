"""Decodes the real clips of a split, which rows are compared with, into the store."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from rdtf_bench.core.dataset import Clip
from rdtf_bench.core.store import write_text
from rdtf_bench.core.video import VideoU8
from rdtf_bench.data.reading.clips import clip_frames
from rdtf_bench.spec.schema import ClipShape


@dataclass(frozen=True)
class RealClips:
    """Decoded clips of a split."""

    ids: tuple[str, ...]
    captions: tuple[str, ...]
    video: VideoU8


def decoded(clips: Sequence[Clip], shape: ClipShape) -> RealClips:
    """Decode clips at one shape."""
    return RealClips(
        ids=tuple(clip.id for clip in clips),
        captions=tuple(clip.caption for clip in clips),
        video=torch.stack([clip_frames(clip, **shape.model_dump()) for clip in clips]),
    )


def write_clips(folder: Path, clips: Sequence[Clip], shape: ClipShape) -> None:
    """Decode the clips of a split and write them with their ids and captions."""
    real = decoded(clips, shape)
    save_file({"video": real.video}, folder / "clips.safetensors")
    write_text(folder / "clips.json", json.dumps({"ids": real.ids, "captions": real.captions}))


def read_ids(folder: Path) -> tuple[str, ...]:
    """Return the ids of the clips that `write_clips` wrote, without reading the frames."""
    return tuple(json.loads((folder / "clips.json").read_text(encoding="utf-8"))["ids"])


def read_clips(folder: Path) -> RealClips:
    """Return what `write_clips` wrote."""
    names = json.loads((folder / "clips.json").read_text(encoding="utf-8"))
    video = load_file(folder / "clips.safetensors")["video"]
    return RealClips(ids=tuple(names["ids"]), captions=tuple(names["captions"]), video=video)
