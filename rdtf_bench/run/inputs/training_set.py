"""Names the prepared training split in the store: a list of its clips, and shards of their latents and features.

The list is one Parquet file, with one row group for each shard. A shard is an entry of its own, whose key is made of
what decides its bytes, so that a changed file has its shard alone prepared again. Jobs carry keys instead of clips. The
module imports no torch.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rdtf_bench.core.dataset import Clip
from rdtf_bench.core.store import Store, key_of
from rdtf_bench.data.reading import media
from rdtf_bench.spec.identities import TrainingSetIdentity

LIST, LIST_FILE = "training_clips", "clips.parquet"
SHARD, SHARD_FILE = "training_shards", "shard.parquet"
"""Kinds of entries in the store, and the file in each."""

SHARD_FORMAT = 1  # raised when a shard is written in another way
ITEM_BYTES = {"float16": 2, "float32": 4}
FEATURE_BYTES = 4


@dataclass(frozen=True, kw_only=True)
class TrainingSet:
    """The keys of a prepared training split. Travels with every job, so it holds no clips."""

    identity: TrainingSetIdentity
    root: Path  # of the data, below which the files of the clips are
    num_clips: int
    shards: tuple[str, ...]  # keys; empty where the clips are not known, as in the plan of built-in data

    @property
    def num_shards(self) -> int:
        """Return the number of shards; only the last one may hold fewer clips than the others."""
        return -(-self.num_clips // self.identity.clips_per_shard)

    def missing(self, store: Store) -> list[int]:
        """Return the numbers of the shards that the store does not hold."""
        if not self.shards:
            return list(range(self.num_shards))
        return [number for number, key in enumerate(self.shards) if not store.has(SHARD, key)]

    def size_of(self, shard: int) -> int:
        """Return the number of clips of a shard."""
        per_shard = self.identity.clips_per_shard
        return min(per_shard, self.num_clips - shard * per_shard)


def training_set(identity: TrainingSetIdentity, root: Path, num_clips: int, clips: Sequence[Clip]) -> TrainingSet:
    """Return the keys of a training split; `clips` may be empty where they are not known yet."""
    per_shard = identity.clips_per_shard
    decides = {name: value for name, value in identity.as_dict().items() if name not in ("train", "clips_per_shard")}
    shards = tuple(
        key_of({**decides, **_bytes_of(clips[start : start + per_shard])}) for start in range(0, len(clips), per_shard)
    )
    return TrainingSet(identity=identity, root=root, num_clips=num_clips, shards=shards)


def _bytes_of(clips: Sequence[Clip]) -> dict[str, Any]:
    """Return what decides the pixels of these clips."""
    return {
        "format": SHARD_FORMAT,
        "reader": media.VERSION,
        "clips": [[clip.sha256, clip.num_frames, clip.window] for clip in clips],
    }


def write_list(store: Store, training: TrainingSet, clips: Sequence[Clip]) -> None:
    """Write the list of the clips into the store, unless it holds the same one.

    A list of another time may name other files of the same content, which were moved since.
    """
    import pyarrow.parquet as parquet

    table = _table(clips, training.root)
    key = training.identity.key
    if store.has(LIST, key):
        if parquet.read_table(store.path(LIST, key) / LIST_FILE).equals(table):
            return
        store.remove(LIST, key)

    def write(folder: Path) -> None:
        parquet.write_table(
            table, folder / LIST_FILE, row_group_size=training.identity.clips_per_shard, compression="zstd"
        )

    store.make(LIST, key, write)


def listed_clips(store: Store, identity: TrainingSetIdentity, root: Path) -> list[Clip]:
    """Return the clips of the list that the store holds, or none if it holds no list."""
    import pyarrow.parquet as parquet

    if not store.has(LIST, identity.key):
        return []
    return read_clips(parquet.read_table(store.path(LIST, identity.key) / LIST_FILE), root)


def read_clips(table: Any, root: Path) -> list[Clip]:
    """Return the clips of a part of the list, an Arrow table."""
    return [
        Clip(
            id=row["id"],
            path=root / row["path"],
            caption=row["caption"],
            cluster=row["cluster"],
            split="train",
            num_frames=row["num_frames"],
            sha256=row["sha256"],
            window=None if row["window"] is None else (row["window"][0], row["window"][1]),
            frames=tuple(root / frame for frame in row["frames"]),
            keyframes=tuple(row["keyframes"]),
        )
        for row in table.to_pylist()
    ]


def bytes_to_write(training: TrainingSet, store: Store, clips: Sequence[Clip], autoencoder: Mapping[str, Any]) -> int:
    """Return an upper bound of the bytes of the shards that the store lacks.

    `clips` may be empty where they are not known; each then has as many frames as are kept of one. `autoencoder` is the
    configuration of the network.
    """
    per_shard = training.identity.clips_per_shard
    counts: list[int] = []
    for shard in training.missing(store):
        of_shard = [clip.num_frames for clip in clips[shard * per_shard : (shard + 1) * per_shard]]
        counts += of_shard or [training.identity.max_frames] * training.size_of(shard)
    return bytes_needed(counts, training.identity, autoencoder)


def bytes_needed(frame_counts: Iterable[int], training: TrainingSetIdentity, autoencoder: Mapping[str, Any]) -> int:
    """Return the bytes of latents and features of clips with these numbers of frames.

    Features have at most as many dimensions as there are frames, and are counted as if they had as many.
    """
    side = training.size_px // 2 ** (len(autoencoder["block_out_channels"]) - 1)
    channels = autoencoder.get("latent_channels", 4)  # a configuration may leave out the default of diffusers
    per_frame = channels * side**2 * ITEM_BYTES[training.latents_dtype]
    per_pair = 0 if training.frame_features is None else FEATURE_BYTES
    kept = (min(count, training.max_frames) for count in frame_counts)
    return sum(count * per_frame + count**2 * per_pair for count in kept)


def _table(clips: Sequence[Clip], root: Path) -> Any:
    """Return the Arrow table of the clips; their files are named by the path below the root of the data."""
    import pyarrow as pa

    def below(path: Path) -> str:
        return str(path.relative_to(root))

    return pa.table(
        {
            "id": pa.array([clip.id for clip in clips], pa.string()),
            "caption": pa.array([clip.caption for clip in clips], pa.string()),
            "cluster": pa.array([clip.cluster for clip in clips], pa.string()),
            "num_frames": pa.array([clip.num_frames for clip in clips], pa.int32()),
            "sha256": pa.array([clip.sha256 for clip in clips], pa.string()),
            "path": pa.array([below(clip.path) for clip in clips], pa.string()),
            "window": pa.array([clip.window for clip in clips], pa.list_(pa.int64())),
            "frames": pa.array([[below(frame) for frame in clip.frames] for clip in clips], pa.list_(pa.string())),
            "keyframes": pa.array([clip.keyframes for clip in clips], pa.list_(pa.int32())),
        }
    )
