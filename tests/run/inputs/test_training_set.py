"""The names of the prepared training split: what decides a shard, and the list of clips that jobs read."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest

from rdtf_bench.core.dataset import Clip
from rdtf_bench.core.store import Store
from rdtf_bench.run.inputs.training_set import (
    LIST,
    LIST_FILE,
    SHARD,
    TrainingSet,
    bytes_needed,
    bytes_to_write,
    listed_clips,
    training_set,
    write_list,
)
from rdtf_bench.spec.identities import TrainingSetIdentity

ROOT = Path("data")
GIVEN: dict[str, Any] = {"train": "t", "size_px": 64, "max_frames": 16, "autoencoder": "a", "frame_features": "f"}


def clips(count: int = 5) -> list[Clip]:
    return [
        Clip(
            id=f"asg/{number}",
            path=ROOT / "animations" / f"{number}.gif",
            caption=f"text {number}",
            cluster=f"cluster {number}",
            split="train",
            num_frames=2 + number,
            sha256=f"hash {number}",
        )
        for number in range(count)
    ]


def named(of: Sequence[Clip], root: Path = ROOT, **changed: Any) -> TrainingSet:
    identity = TrainingSetIdentity(**{**GIVEN, "clips_per_shard": 2, **changed})
    return training_set(identity, root, len(of), of)


def test_a_changed_file_changes_the_key_of_its_shard_alone() -> None:
    before = named(clips())
    changed = clips()
    changed[2] = replace(changed[2], sha256="another hash")
    after = named(changed)
    assert before.num_shards == len(before.shards) == 3
    assert [one == other for one, other in zip(before.shards, after.shards, strict=True)] == [True, False, True]


def test_what_decides_no_number_of_a_shard_changes_no_key() -> None:
    retold = [
        replace(clip, caption="new", cluster="new", path=Path("elsewhere"), id=f"x/{clip.id}") for clip in clips()
    ]
    assert named(retold, train="other clips").shards == named(clips()).shards


@pytest.mark.parametrize(
    "changed",
    [
        {"size_px": 32},
        {"max_frames": 8},
        {"fit": "crop"},
        {"frames_by": "time"},
        {"autoencoder": "b"},
        {"frame_features": None},
        {"latents_dtype": "float16"},
    ],
)
def test_shards_of_another_scale_or_network_have_other_keys(changed: dict[str, Any]) -> None:
    assert not set(named(clips()).shards) & set(named(clips(), **changed).shards)


def test_a_window_of_a_video_decides_a_shard() -> None:
    first, second = ([replace(clip, window=(start, 8)) for clip in clips()] for start in (0, 8))
    assert not set(named(first).shards) & set(named(second).shards)


def test_the_last_shard_is_as_small_as_it_is(tmp_path: Path) -> None:
    training = named(clips())
    assert [training.size_of(shard) for shard in range(3)] == [2, 2, 1]
    store = Store(tmp_path)
    store.make(SHARD, training.shards[1], lambda _: None)
    assert training.missing(store) == [0, 2]
    assert replace(training, shards=()).missing(store) == [0, 1, 2]  # the clips are not known yet


def test_the_list_gives_back_every_clip_with_one_row_group_per_shard(tmp_path: Path) -> None:
    store, given = Store(tmp_path), clips()
    given[1] = replace(given[1], window=(16, 8), keyframes=(0, 3))
    given[2] = replace(given[2], frames=(ROOT / "a" / "0.png", ROOT / "a" / "1.png"))
    training = named(given)
    assert listed_clips(store, training.identity, ROOT) == []
    write_list(store, training, given)
    assert listed_clips(store, training.identity, ROOT) == given
    held = parquet.ParquetFile(store.path(LIST, training.identity.key) / LIST_FILE)
    assert [held.metadata.row_group(shard).num_rows for shard in range(3)] == [2, 2, 1]


def test_the_list_follows_a_folder_that_was_moved_and_a_file_that_was(tmp_path: Path) -> None:
    store, given = Store(tmp_path), clips()
    write_list(store, named(given), given)
    written = store.path(LIST, named(given).identity.key) / LIST_FILE
    before = written.stat().st_mtime_ns
    elsewhere = [replace(clip, path=Path("moved") / clip.path.relative_to(ROOT)) for clip in given]
    write_list(store, named(elsewhere, Path("moved")), elsewhere)
    assert written.stat().st_mtime_ns == before  # paths are below the root
    assert listed_clips(store, named(given).identity, Path("moved")) == elsewhere
    given[0] = replace(given[0], path=ROOT / "renamed.gif")
    write_list(store, named(given), given)
    assert listed_clips(store, named(given).identity, ROOT) == given


def test_the_bytes_needed_are_those_of_latents_and_features() -> None:
    network = {"block_out_channels": [8, 8, 8, 8], "latent_channels": 4}
    identity = TrainingSetIdentity(**GIVEN)
    # 64 px halved three times are 8; of 20 frames 16 are kept
    assert bytes_needed([3, 20], identity, network) == (3 + 16) * 4 * 8 * 8 * 4 + (3**2 + 16**2) * 4
    half = identity.model_copy(update={"latents_dtype": "float16", "frame_features": None})
    assert bytes_needed([3, 20], half, network) == (3 + 16) * 4 * 8 * 8 * 2


def test_shards_that_are_there_need_no_more_space(tmp_path: Path) -> None:
    network = {"block_out_channels": [8], "latent_channels": 1}
    store, training = Store(tmp_path), named(clips(), frame_features=None, size_px=1)
    assert bytes_to_write(training, store, clips(), network) == (2 + 3 + 4 + 5 + 6) * 4
    store.make(SHARD, training.shards[1], lambda _: None)
    assert bytes_to_write(training, store, clips(), network) == (2 + 3 + 6) * 4
    assert bytes_to_write(training, store, [], network) == 3 * 16 * 4  # as many frames as are kept of a clip
