"""Shards of the prepared training split: every clip gets its own numbers back, and damage and kills lose no other."""

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from rdtf_bench.core.dataset import Clip
from rdtf_bench.core.errors import StoreError
from rdtf_bench.core.method import TrainingClips
from rdtf_bench.core.store import Store
from rdtf_bench.data.frames import rotated
from rdtf_bench.data.reading.clips import all_frames
from rdtf_bench.run.inputs import shards
from rdtf_bench.run.inputs.shards import Networks, StoredTrainingClips, make_shard
from rdtf_bench.run.inputs.training_set import SHARD, SHARD_FILE
from rdtf_bench.run.progress import Event, Report
from tests.run.inputs.small_shards import NETWORKS, STAND_INS, clips_in, described, encoded, listed, prepare


class Listening:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def put(self, event: Event) -> None:
        self.events.append(event)


@pytest.fixture(autouse=True)
def _small_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    for (module, name), stand_in in STAND_INS.items():
        monkeypatch.setattr(module, name, stand_in)


@pytest.fixture
def files(stickers: str) -> list[Clip]:
    return clips_in(Path(stickers))


def prepared(files: Sequence[Clip], store: Store, **changed: Any) -> StoredTrainingClips:
    training = listed(files, store, **changed)
    prepare(store, training)
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
        assert torch.equal(split.latents(index), encoded(frames))
        assert torch.equal(split.features(index), rotated(described(frames, 8)))


def test_key_frames_are_places_among_the_frames_that_are_kept(files: list[Clip], tmp_path: Path) -> None:
    with_key_frames = [replace(file, keyframes=(1, 4) if number else ()) for number, file in enumerate(files)]
    split = prepared(with_key_frames, Store(tmp_path / "store"))
    assert [split.keyframes(index) for index in range(3)] == [(), (1, 3), (1, 3)]  # frames 0, 1, 2 and 3 of 5 are kept


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
    make_shard(store, training, 0, networks, Report(Listening(), "job", "preparing"))
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
    assert torch.equal(again.latents(4), encoded(all_frames(files[4], most=4, size_px=8)))


def test_a_killed_preparation_keeps_its_finished_shards(files: list[Clip], stickers: str, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    training = listed(files, store)
    half_written = store.root / "unfinished" / SHARD / training.shards[1] / SHARD_FILE
    command = [sys.executable, "-m", "tests.run.inputs.small_shards", stickers, str(store.root)]
    with subprocess.Popen(command, cwd=Path(__file__).parents[3]) as process:
        while process.poll() is None and not half_written.is_file():
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert training.missing(store) == [1, 2]
    finished = store.path(SHARD, training.shards[0]) / SHARD_FILE
    before = finished.stat().st_mtime_ns
    split = prepared(files, store)
    assert finished.stat().st_mtime_ns == before
    assert training.missing(store) == []
    for index, file in enumerate(files):
        assert torch.equal(split.latents(index), encoded(all_frames(file, most=4, size_px=8)))
    assert not list((store.root / "unfinished").rglob("*.parquet"))
