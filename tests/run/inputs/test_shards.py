"""Shards of the prepared training split: every clip gets its own numbers back, and damage is found."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor

from rdtf_bench import catalog
from rdtf_bench.core.dataset import Clip
from rdtf_bench.core.errors import StoreError
from rdtf_bench.core.method import TrainingClips
from rdtf_bench.core.store import Store
from rdtf_bench.data.frames import rotated
from rdtf_bench.data.reading.clips import all_frames
from rdtf_bench.run.inputs import shards
from rdtf_bench.run.inputs.shards import Networks, StoredTrainingClips, make_shard
from rdtf_bench.run.inputs.training_set import SHARD, SHARD_FILE, TrainingSet, training_set, write_list
from rdtf_bench.run.progress import Event, Report, Silent
from rdtf_bench.spec.identities import TrainingSetIdentity
from tests.data.clips import clip_of

NETWORKS = Networks(autoencoder=Path("autoencoder"), features=("small", Path("weights")), device=torch.device("cpu"))


class Listening:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def put(self, event: Event) -> None:
        self.events.append(event)


def encoded(_: object, frames: Tensor, __: object) -> Tensor:
    """Stands in for the autoencoder: every second pixel of the red channel, twice."""
    return frames[:, :1, ::2, ::2].repeat(1, 2, 1, 1).float() / 255


def described(frames: Tensor, size_px: int) -> Tensor:
    """Stands in for the feature network: the pixels themselves."""
    assert size_px == 8
    return frames.flatten(1).float()


@pytest.fixture(autouse=True)
def _small_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "load_autoencoder", lambda *_: None)
    monkeypatch.setattr(shards, "_encoded", encoded)
    network = SimpleNamespace(load=lambda *_: SimpleNamespace(features=described))
    monkeypatch.setattr(catalog, "load", lambda *_: network)
    monkeypatch.setattr(shards, "CLIPS_AT_ONCE", 2)  # several row groups in a shard
    monkeypatch.setattr(shards, "FRAMES_AT_ONCE", 3)


@pytest.fixture
def files(stickers: str) -> list[Clip]:
    """Seven stickers of 5 frames of 16 px."""
    return [clip_of(Path(stickers) / f"{number}.png", 5, split="train", sha256=str(number)) for number in range(7)]


def listed(files: Sequence[Clip], store: Store, **changed: Any) -> TrainingSet:
    given = {"train": "t", "size_px": 8, "max_frames": 4, "autoencoder": "a", "frame_features": "f"}
    identity = TrainingSetIdentity(**{**given, "clips_per_shard": 3, **changed})
    training = training_set(identity, files[0].path.parent, len(files), files)
    write_list(store, training, files)
    return training


def prepared(files: Sequence[Clip], store: Store, **changed: Any) -> StoredTrainingClips:
    training = listed(files, store, **changed)
    for shard in range(training.num_shards):
        make_shard(store, training, shard, NETWORKS, Report(Silent(), "job", "preparing"))
    return StoredTrainingClips(store, training)


def test_every_clip_keeps_its_own_frames_latents_and_features(files: list[Clip], tmp_path: Path) -> None:
    split = prepared(files, Store(tmp_path / "store"))
    assert isinstance(split, TrainingClips)
    assert tuple(split.shard_sizes) == (3, 3, 1)
    assert list(split.ids) == [f"asg/{number}" for number in range(7)]
    assert list(split.captions) == [f"text {number}" for number in range(7)]
    for index, file in enumerate(files):
        frames = all_frames(file, most=4, size_px=8)
        assert torch.equal(split.frames(index, [0, 1, 2, 3]), frames)
        assert torch.equal(split.frames(index, [2, 0]), frames[[2, 0]])
        assert torch.equal(split.latents(index), encoded(None, frames, None))
        assert torch.equal(split.features(index), rotated(described(frames, 8)))


def test_latents_are_stored_in_half_precision_where_the_scale_says_so(files: list[Clip], tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    whole, half = prepared(files, store), prepared(files, store, latents_dtype="float16")
    assert half.latents(4).dtype == torch.float32
    assert torch.equal(half.latents(4), whole.latents(4).half().float())
    assert not torch.equal(half.latents(4), whole.latents(4))


def test_features_are_left_out_where_no_method_needs_them(files: list[Clip], tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    training = listed(files, store, frame_features=None)
    networks = Networks(autoencoder=Path("autoencoder"), features=None, device=torch.device("cpu"))
    make_shard(store, training, 0, networks, Report(Silent(), "job", "preparing"))
    split = StoredTrainingClips(store, training)
    assert split.latents(0).shape == (4, 2, 4, 4)
    with pytest.raises(KeyError, match="features"):
        split.features(0)


def test_progress_is_told_in_clips(files: list[Clip], tmp_path: Path) -> None:
    store, sink = Store(tmp_path / "store"), Listening()
    make_shard(store, listed(files, store), 1, NETWORKS, Report(sink, "job", "preparing"))
    assert sink.events[-1] == Event("job", "preparing", 3, 3)


def test_a_shard_that_the_store_holds_is_not_made_again(
    files: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "store")
    prepared(files, store)
    monkeypatch.setattr(shards, "_write", lambda *_: pytest.fail("made again"))
    prepared(files, store)


def test_few_shards_are_in_memory_at_a_time(files: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "SHARDS_KEPT", 2)
    split = prepared(files, Store(tmp_path / "store"))
    for index in (0, 3, 1, 4, 6, 3):
        split.latents(index)
    held = split._shard.cache_info()
    assert (held.currsize, held.misses) == (2, 3)


@pytest.mark.parametrize("damage", ["cut", "changed", "absent"])
def test_a_damaged_shard_is_named_and_made_again_by_the_next_run(
    damage: str, files: list[Clip], tmp_path: Path
) -> None:
    store = Store(tmp_path / "store")
    split = prepared(files, store)
    training = split._training
    path = store.path(SHARD, training.shards[1]) / SHARD_FILE
    content = path.read_bytes()
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "changed":
        at = content.index(split.latents(4).numpy().tobytes())
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
    else:
        path.unlink()
    split = StoredTrainingClips(store, training)
    assert split.latents(0).shape == (4, 2, 4, 4)
    with pytest.raises(StoreError, match=r"shard\.parquet: .* is damaged: .* is removed; repeat the command"):
        split.latents(4)
    assert training.missing(store) == [1]
    again = prepared(files, store)
    assert path.read_bytes() == content
    assert torch.equal(again.latents(4), encoded(None, all_frames(files[4], most=4, size_px=8), None))
