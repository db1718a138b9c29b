"""Training data of the toy networks: toy stickers, the training split of fluent, toy scenes and toy movers.

All clips have the same size and number of frames. No recipe may train on anything else: test splits and other folders
of stickers are for measurement only.
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

from rdtf_bench.core.dataset import Clip
from rdtf_bench.core.errors import DataError
from rdtf_bench.core.store import written_whole
from rdtf_bench.data.frames import equal_intervals
from rdtf_bench.data.reading.decode import decode
from rdtf_bench.data.reading.folders import folder as data_folder
from rdtf_bench.data.toy import movers as toy_movers
from rdtf_bench.data.toy import scenes as toy_scenes
from rdtf_bench.data.toy import stickers as toy_stickers

NUM_FRAMES = 8
SIZE_PX = 64
EXTRA_SEED = 1  # random seed of the additional toy stickers of the training pairs
SCENES_SEED = 0
SCENES_VALIDATION_SEED = 1

OnProgress = Callable[[str, int, int], None]
"""Called with the name of the current work, the amount that is done and the total amount."""


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Clips of one length and size with their captions."""

    name: str
    clips: UInt8[Tensor, "N F C H W"]
    captions: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.captions)


def toy(data: Path, *, split: str, on_progress: OnProgress | None = None) -> Corpus:
    """Return the toy stickers of a split. They are written below `data` if they are not there yet."""
    root = data / toy_stickers.NAME
    toy_stickers.write(root)
    return stickers(root, name=toy_stickers.NAME, split=split, data=data, on_progress=on_progress)


def toy_extra(data: Path, *, count: int, on_progress: OnProgress | None = None) -> Corpus:
    """Draw additional toy stickers with the (subject, action) pairs of the training split."""
    name = f"{toy_stickers.NAME}-extra-{count}"
    toy_stickers.write(data / name, seed=EXTRA_SEED, counts={"train": count})
    return stickers(data / name, name=name, split="train", data=data, on_progress=on_progress)


def fluent(folder: Path | None, *, split: str, data: Path, on_progress: OnProgress | None = None) -> Corpus:
    """Return a split of fluent from the folder that `rdtf-bench data fetch fluent` prepares."""
    if folder is None or not folder.is_dir():
        where = "no folder was given" if folder is None else f"there is no folder {folder}"
        raise DataError(
            f"fluent: {where}. The toy networks are trained on its training split. Get it with "
            "`rdtf-bench data fetch fluent` and build again."
        )
    return stickers(folder, name="fluent", split=split, data=data, on_progress=on_progress)


def stickers(
    root: Path,
    *,
    name: str,
    split: str | None,
    data: Path,
    on_progress: OnProgress | None = None,
) -> Corpus:
    """Read one split of a folder of stickers, or all of it: eight frames of each loop at equal intervals, on white.

    Stickers with fewer frames are left out. The index and the pixels are cached below `data`; the key of the cache is
    a hash of the files.
    """
    report = on_progress or _silent
    found = data_folder.read(
        root,
        name=name,
        cache=data / "indexes" / f"{name}.json",
        on_progress=lambda done, total: report(f"check {name}", done, total),
    )
    found.require_one_split()
    clips: Sequence[Clip] = found.clips
    if split is not None:
        clips = data_folder.choose(clips, split=split, min_frames=NUM_FRAMES).clips
    else:
        clips = [clip for clip in clips if clip.num_frames >= NUM_FRAMES]
    key = hashlib.sha256(json.dumps([data_folder.fingerprint(clips), NUM_FRAMES, SIZE_PX]).encode()).hexdigest()[:16]
    captions = tuple(clip.caption for clip in clips)
    kept = data / "pixels" / f"{name}-{split or 'all'}-{key}.safetensors"
    if not kept.is_file():
        _keep(kept, _decode(clips, f"decode {name} {split or 'all'}", report))
    return Corpus(name=name, clips=load_file(kept)["clips"], captions=captions)


def scenes(count: int, *, seed: int = SCENES_SEED, on_progress: OnProgress | None = None) -> Corpus:
    """Draw landscapes under camera motion, one half of the source domain of the toy base."""
    return _drawn(toy_scenes, count, seed, on_progress or _silent)


def movers(count: int, *, seed: int = SCENES_SEED, on_progress: OnProgress | None = None) -> Corpus:
    """Draw things that move over a still scene, the other half of the source domain of the toy base."""
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
    """Concatenate corpora under a new name."""
    return Corpus(
        name=name,
        clips=torch.cat([part.clips for part in parts]),
        captions=tuple(caption for part in parts for caption in part.captions),
    )


def _decode(clips: Sequence[Clip], what: str, report: OnProgress) -> UInt8[Tensor, "N F C H W"]:
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
