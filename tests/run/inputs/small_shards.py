"""Shards of three stickers that small stand-ins for the networks prepare, also in a process of their own.

    python -m tests.run.inputs.small_shards STICKERS STORE

prepares the first shard and then hangs in the middle of the second one, for a test that kills it.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from rdtf_bench import catalog
from rdtf_bench.core.dataset import Clip
from rdtf_bench.core.store import Store
from rdtf_bench.run.inputs import shards
from rdtf_bench.run.inputs.shards import Networks, make_shard
from rdtf_bench.run.inputs.training_set import TrainingSet, training_set, write_list
from rdtf_bench.run.progress import Report, Silent
from rdtf_bench.spec.identities import TrainingSetIdentity
from tests.data.clips import clip_of

NETWORKS = Networks(autoencoder=Path("autoencoder"), features=("small", Path("weights")), device=torch.device("cpu"))
STAND_INS = {
    (shards, "load_autoencoder"): lambda *_: None,
    (shards, "_encoded"): lambda _, frames, __: encoded(frames),
    (catalog, "load"): lambda *_: SimpleNamespace(load=lambda *_: SimpleNamespace(features=described)),
    (shards, "CLIPS_AT_ONCE"): 2,  # several row groups in a shard
    (shards, "FRAMES_AT_ONCE"): 3,
}


def encoded(frames: Tensor) -> Tensor:
    """Stands in for the autoencoder: every second pixel of the red channel, twice."""
    return frames[:, :1, ::2, ::2].repeat(1, 2, 1, 1).float() / 255


def described(frames: Tensor, size_px: int) -> Tensor:
    """Stands in for the feature network: the pixels themselves."""
    assert size_px == 8
    return frames.flatten(1).float()


def clips_in(stickers: Path) -> list[Clip]:
    """Seven stickers of 5 frames of 16 px."""
    return [clip_of(stickers / f"{number}.png", 5, split="train", sha256=str(number)) for number in range(7)]


def listed(clips: Sequence[Clip], store: Store, **changed: Any) -> TrainingSet:
    given = {"train": "t", "size_px": 8, "max_frames": 4, "autoencoder": "a", "frame_features": "f"}
    identity = TrainingSetIdentity(**{**given, "clips_per_shard": 3, **changed})
    training = training_set(identity, clips[0].path.parent, len(clips), clips)
    write_list(store, training, clips)
    return training


def prepare(store: Store, training: TrainingSet) -> None:
    """Make the shards that the store lacks."""
    for shard in training.missing(store):
        make_shard(store, training, shard, NETWORKS, Report(Silent(), "job", "preparing"))


def main(stickers: Path, root: Path) -> None:
    for (module, name), stand_in in STAND_INS.items():
        setattr(module, name, stand_in)
    whole = shards._all_frames

    def hanging(clip: Clip, *given: Any, **options: Any) -> Tensor:
        if clip.id == "asg/5":  # the third clip of the second shard, whose first two are written
            time.sleep(600)
        return whole(clip, *given, **options)

    shards._all_frames = hanging
    store = Store(root)
    prepare(store, listed(clips_in(stickers), store))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
