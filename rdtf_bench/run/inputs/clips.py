"""Prepares stickers as tensors in the store: the real clips that are scored, and the training split.

The training split has frames, latents and features. All rows share them, because no method changes them.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from rdtf_bench import catalog
from rdtf_bench.core.dataset import Clip, Fit, FramesBy
from rdtf_bench.core.store import write_text
from rdtf_bench.core.video import VideoU8, to_unit
from rdtf_bench.data.reading.clips import all_frames, clip_frames
from rdtf_bench.diffusion import latents as latent_space
from rdtf_bench.run.inputs.streamed import save_stacked
from rdtf_bench.run.progress import Report

FRAMES_AT_ONCE = 64


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
    _write_names(folder, clips, {})


def read_clips(folder: Path) -> RealClips:
    """Return what `write_clips` wrote."""
    names = json.loads((folder / "clips.json").read_text(encoding="utf-8"))
    video = load_file(folder / "clips.safetensors")["video"]
    return RealClips(ids=tuple(names["ids"]), captions=tuple(names["captions"]), video=video)


def write_training_frames(
    folder: Path,
    clips: Sequence[Clip],
    *,
    max_frames: int,
    size_px: int,
    frames_by: FramesBy = "index",
    fit: Fit = "stretch",
    report: Report,
) -> None:
    """Write all frames of every training sticker, or `max_frames` of them at equal intervals, as one tensor."""
    counts = []

    def decoded() -> Iterator[UInt8[Tensor, "F C H W"]]:
        for clip in clips:
            frames = all_frames(clip, most=max_frames, size_px=size_px, frames_by=frames_by, fit=fit)
            counts.append(len(frames))
            report.advance(len(counts), len(clips))
            yield frames

    save_stacked(decoded(), "frames", folder / "frames.safetensors")
    _write_names(folder, clips, {"num_frames": counts})


def write_latents(
    folder: Path, frames_folder: Path, autoencoder: Path, *, device: torch.device, report: Report
) -> None:
    """Write the latent of every training frame."""
    network = latent_space.load_autoencoder(autoencoder, device)
    parts = (
        latent_space.encode(network, to_unit(part[None].to(device)))[0].cpu()
        for part in _in_parts(frames_folder, report)
    )
    save_stacked(parts, "latents", folder / "latents.safetensors")


def write_features(
    folder: Path,
    frames_folder: Path,
    network: str,
    weights: Path,
    *,
    size_px: int,
    device: torch.device,
    report: Report,
) -> None:
    """Write the features by which frames are clustered. `network` is a feature of the catalog."""
    extractor = catalog.load("feature", network).load(weights, device)
    parts = (extractor.features(part, size_px=size_px).float().cpu() for part in _in_parts(frames_folder, report))
    save_stacked(parts, "features", folder / "features.safetensors")


class StoredTrainingClips:
    """The prepared training split (core.method.TrainingClips)."""

    def __init__(self, frames_folder: Path, latents_folder: Path, features_folder: Path | None) -> None:
        """Open the split. Methods that take frames at equal intervals need no features."""
        names = json.loads((frames_folder / "clips.json").read_text(encoding="utf-8"))
        self.ids: Sequence[str] = names["ids"]
        self.captions: Sequence[str] = names["captions"]
        counts = names["num_frames"]
        self.shard_sizes: Sequence[int] = [len(counts)]
        ends = torch.tensor(counts).cumsum(0).tolist()
        self._spans = [slice(end - count, end) for end, count in zip(ends, counts, strict=True)]
        # frames are the largest by far, so they are read on demand
        self._frames = safe_open(frames_folder / "frames.safetensors", framework="pt")
        self._latents = load_file(latents_folder / "latents.safetensors")["latents"]
        self._features: Tensor | None = None
        if features_folder is not None:
            self._features = load_file(features_folder / "features.safetensors")["features"]

    def frames(self, index: int) -> UInt8[Tensor, "F C H W"]:
        return self._frames.get_slice("frames")[self._spans[index]]  # type: ignore[no-untyped-call]

    def latents(self, index: int) -> Float[Tensor, "F C H W"]:
        return self._latents[self._spans[index]]

    def features(self, index: int) -> Float[Tensor, "F D"]:
        assert self._features is not None
        return self._features[self._spans[index]]


def _in_parts(frames_folder: Path, report: Report) -> Iterator[UInt8[Tensor, "F C H W"]]:
    with safe_open(frames_folder / "frames.safetensors", framework="pt") as file:
        rows = file.get_slice("frames")
        total = rows.get_shape()[0]
        for start in range(0, total, FRAMES_AT_ONCE):
            yield rows[start : start + FRAMES_AT_ONCE]
            report.advance(min(start + FRAMES_AT_ONCE, total), total)


def _write_names(folder: Path, clips: Sequence[Clip], more: Mapping[str, Sequence[int]]) -> None:
    names = {"ids": [clip.id for clip in clips], "captions": [clip.caption for clip in clips], **more}
    write_text(folder / "clips.json", json.dumps(names))
