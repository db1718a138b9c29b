"""What the toy networks learn from: toy stickers, fluent's training split and toy scenes, as clips of one size.

Nothing else may enter a recipe: the test split of any set and every other folder of stickers are for measuring.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import torch
from jaxtyping import UInt8
from safetensors.torch import load_file, save_file
from torch import Tensor

from rdtf_bench.core.errors import DataError
from rdtf_bench.core.store import written_whole
from rdtf_bench.data.frames import equal_intervals
from rdtf_bench.data.reading import folder as data_folder
from rdtf_bench.data.reading.decode import decode
from rdtf_bench.data.toy import movers as toy_movers
from rdtf_bench.data.toy import scenes as toy_scenes
from rdtf_bench.data.toy import stickers as toy_stickers

NUM_FRAMES = 8
SIZE_PX = 64
EXTRA_SEED = 1  # of toy stickers beyond the set itself: other draws of its training pairs
SCENES_SEED = 0
SCENES_VALIDATION_SEED = 1

OnProgress = Callable[[str, int, int], None]
"""Told what is being done, how much of it is done, of how much."""


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Clips of one length and size with their captions."""

    name: str
    clips: UInt8[Tensor, "N F C H W"]
    captions: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.captions)

    def first(self, count: int) -> "Corpus":
        return Corpus(name=self.name, clips=self.clips[:count], captions=self.captions[:count])


def toy(data: Path, *, split: str, most: int | None = None, on_progress: OnProgress | None = None) -> Corpus:
    """The toy stickers of a split as users get them, written below `data` if they are not there."""
    root = data / toy_stickers.NAME
    toy_stickers.write(root)
    return stickers(root, name=toy_stickers.NAME, split=split, most=most, data=data, on_progress=on_progress)


def toy_extra(data: Path, *, count: int, on_progress: OnProgress | None = None) -> Corpus:
    """More toy stickers: new draws of the training split's (subject, action) pairs."""
    name = f"{toy_stickers.NAME}-extra-{count}"
    toy_stickers.write(data / name, seed=EXTRA_SEED, counts={"train": count})
    return stickers(data / name, name=name, split="train", data=data, on_progress=on_progress)


def fluent(
    folder: Path | None, *, split: str, data: Path, most: int | None = None, on_progress: OnProgress | None = None
) -> Corpus:
    """Fluent animated emoji from the folder that `rdtf-bench data fetch fluent` prepares."""
    if folder is None or not folder.is_dir():
        where = "no folder was given" if folder is None else f"there is no folder {folder}"
        raise DataError(
            f"fluent: {where}. The toy networks learn from its training split: "
            "get it with `rdtf-bench data fetch fluent` and build again."
        )
    return stickers(folder, name="fluent", split=split, most=most, data=data, on_progress=on_progress)


def stickers(
    root: Path,
    *,
    name: str,
    split: str | None,
    data: Path,
    most: int | None = None,
    on_progress: OnProgress | None = None,
) -> Corpus:
    """A folder of stickers (one split of it, or all), eight frames at equal intervals over each loop, on white.

    Stickers of fewer frames are left out. Index and pixels are kept below `data`, keyed by the files' bytes.
    """
    report = on_progress or _silent
    found = data_folder.read(
        root,
        name=name,
        cache=data / "indexes" / f"{name}.json",
        on_progress=lambda done, total: report(f"check {name}", done, total),
    )
    clips: Sequence[data_folder.Clip] = found.clips
    if split is not None:
        clips = data_folder.choose(clips, split=split, most=most, min_frames=NUM_FRAMES).clips
    else:
        clips = [clip for clip in clips if clip.num_frames >= NUM_FRAMES][:most]
    key = hashlib.sha256(json.dumps([data_folder.fingerprint(clips), NUM_FRAMES, SIZE_PX]).encode()).hexdigest()[:16]
    captions = tuple(clip.caption for clip in clips)
    kept = data / "pixels" / f"{name}-{split or 'all'}-{key}.safetensors"
    if not kept.is_file():
        _keep(kept, _decode(clips, f"decode {name} {split or 'all'}", report))
    return Corpus(name=name, clips=load_file(kept)["clips"], captions=captions)


def scenes(count: int, *, seed: int = SCENES_SEED, on_progress: OnProgress | None = None) -> Corpus:
    """Landscapes under camera motion: half of the source domain of the toy base."""
    return _drawn(toy_scenes, count, seed, on_progress or _silent)


def movers(count: int, *, seed: int = SCENES_SEED, on_progress: OnProgress | None = None) -> Corpus:
    """Things that move over a scene at rest: the other half."""
    return _drawn(toy_movers, count, seed, on_progress or _silent)


def _drawn(source: ModuleType, count: int, seed: int, report: OnProgress) -> Corpus:
    drawn = []
    for index in range(count):
        drawn.append(source.clip(index, seed=seed, num_frames=NUM_FRAMES, size_px=SIZE_PX))
        report(f"draw {source.NAME}", index + 1, count)
    return Corpus(
        name=source.NAME,
        clips=torch.stack([pixels for pixels, _ in drawn]),
        captions=tuple(caption for _, caption in drawn),
    )


def join(name: str, parts: Sequence[Corpus]) -> Corpus:
    return Corpus(
        name=name,
        clips=torch.cat([part.clips for part in parts]),
        captions=tuple(caption for part in parts for caption in part.captions),
    )


def _decode(clips: Sequence[data_folder.Clip], what: str, report: OnProgress) -> UInt8[Tensor, "N F C H W"]:
    pixels = []
    for done, clip in enumerate(clips, start=1):
        pixels.append(decode(clip.path, size_px=SIZE_PX, indices=equal_intervals(clip.num_frames, NUM_FRAMES)))
        report(what, done, len(clips))
    return torch.stack(pixels)


def _keep(path: Path, pixels: UInt8[Tensor, "N F C H W"]) -> None:
    with written_whole(path) as making:
        save_file({"clips": pixels}, making)


def _silent(what: str, done: int, total: int) -> None:
    del what, done, total
