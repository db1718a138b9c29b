"""Writes and reads the shards of the prepared training split: latents and frame features, one row per clip.

Frames are decoded, encoded and described in one pass, and are not stored. The few options that need pixels decode them
from the source files. A shard is a Parquet file; the numbers of a clip are one binary value of it.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import torch
from diffusers import AutoencoderKL
from jaxtyping import Float, UInt8
from torch import Tensor

from rdtf_bench import catalog
from rdtf_bench.core.dataset import Clip
from rdtf_bench.core.errors import StoreError
from rdtf_bench.core.store import Store
from rdtf_bench.core.video import to_unit
from rdtf_bench.data.frames import rotated
from rdtf_bench.data.reading.clips import all_frames, keyframe_places
from rdtf_bench.diffusion.latents import encode, load_autoencoder
from rdtf_bench.diffusion.order import WINDOW_SHARDS
from rdtf_bench.run.inputs.training_set import LIST, LIST_FILE, SHARD, SHARD_FILE, TrainingSet, read_clips
from rdtf_bench.run.progress import Report
from rdtf_bench.spec.identities import TrainingSetIdentity

CLIPS_AT_ONCE = 16  # decoded clips in memory, and rows of a row group
FRAMES_AT_ONCE = 64  # frames in one pass of a network
SHARDS_KEPT = 2 * WINDOW_SHARDS  # a batch may span the end of one window and the start of the next
LATENT_SHAPE = b"latent_shape"  # in the metadata of a shard: channels, height and width


@dataclass(frozen=True, kw_only=True)
class Networks:
    """The frozen networks that training clips pass through."""

    autoencoder: Path
    features: tuple[str, Path] | None  # a feature of the catalog and its weights; None where no method needs features
    device: torch.device


def make_shard(store: Store, training: TrainingSet, shard: int, networks: Networks, report: Report) -> None:
    """Decode, encode and describe the clips of one shard, unless the store holds it."""
    store.make(SHARD, training.shards[shard], lambda folder: _write(folder, store, training, shard, networks, report))


def _write(folder: Path, store: Store, training: TrainingSet, shard: int, networks: Networks, report: Report) -> None:
    listed = parquet.ParquetFile(store.path(LIST, training.identity.key) / LIST_FILE)
    clips = read_clips(listed.read_row_group(shard), training.root)
    writer = None
    done = 0
    for rows in _prepared(clips, training.identity, networks):
        if writer is None:
            writer = parquet.ParquetWriter(
                folder / SHARD_FILE,
                rows.schema,
                compression="none",  # latents look random
                use_dictionary=False,
                write_statistics=False,
                write_page_checksum=True,
            )
        writer.write_table(rows)
        done += len(rows)
        report.advance(done, len(clips))
    assert writer is not None, "a shard has clips"
    writer.close()


def _prepared(clips: Sequence[Clip], identity: TrainingSetIdentity, networks: Networks) -> Iterator[pa.Table]:
    """Yield the rows of some clips at a time."""
    autoencoder = load_autoencoder(networks.autoencoder, networks.device)
    extractor = None
    if networks.features is not None:
        name, weights = networks.features
        extractor = catalog.load("feature", name).load(weights, networks.device)
    for start in range(0, len(clips), CLIPS_AT_ONCE):
        group = clips[start : start + CLIPS_AT_ONCE]
        frames = [_all_frames(clip, identity) for clip in group]
        counts = [len(of_clip) for of_clip in frames]
        parts = torch.split(torch.cat(frames), FRAMES_AT_ONCE)
        encoded = torch.cat([_encoded(autoencoder, part, networks.device) for part in parts])
        columns = {
            "num_frames": pa.array(counts, pa.int32()),
            "latents": _binary(torch.split(encoded.to(getattr(torch, identity.latents_dtype)), counts)),
        }
        if extractor is not None:
            described = torch.cat([extractor.features(part, size_px=identity.size_px).float().cpu() for part in parts])
            columns["features"] = _binary([rotated(of_clip) for of_clip in torch.split(described, counts)])
        shape = ",".join(map(str, encoded.shape[1:]))
        yield pa.table(columns).replace_schema_metadata({LATENT_SHAPE: shape})


def _all_frames(
    clip: Clip, identity: TrainingSetIdentity, only: Sequence[int] | None = None
) -> UInt8[Tensor, "F C H W"]:
    return all_frames(
        clip,
        most=identity.max_frames,
        size_px=identity.size_px,
        frames_by=identity.frames_by,
        fit=identity.fit,
        only=only,
    )


def _encoded(
    autoencoder: AutoencoderKL, frames: UInt8[Tensor, "F C H W"], device: torch.device
) -> Float[Tensor, "F c h w"]:
    return encode(autoencoder, to_unit(frames[None].to(device)))[0].cpu()


def _binary(parts: Sequence[Tensor]) -> pa.Array:
    return pa.array([part.contiguous().numpy().tobytes() for part in parts], pa.binary())


@dataclass(frozen=True, kw_only=True)
class _Shard:
    """A shard in memory: its part of the list of clips, and the prepared numbers."""

    clips: pa.Table
    numbers: pa.Table
    latent_shape: tuple[int, ...]


class StoredTrainingClips:
    """The prepared training split (core.method.TrainingClips), of which some shards are in memory at a time."""

    def __init__(self, store: Store, training: TrainingSet) -> None:
        """Open the split. Every shard must be in the store."""
        self._store, self._training = store, training
        self._list = parquet.ParquetFile(store.path(LIST, training.identity.key) / LIST_FILE)
        self.shard_sizes: Sequence[int] = tuple(map(training.size_of, range(training.num_shards)))
        self._ends = list(accumulate(self.shard_sizes))
        self.ids: Sequence[str] = _Column(self, "id")
        self.captions: Sequence[str] = _Column(self, "caption")
        self._shard = lru_cache(SHARDS_KEPT)(self._read)

    def __len__(self) -> int:
        return self._ends[-1]

    def frames(self, index: int, places: Sequence[int]) -> UInt8[Tensor, "k C H W"]:
        return _all_frames(self._clip(index), self._training.identity, only=places)

    def keyframes(self, index: int) -> Sequence[int]:
        identity = self._training.identity
        return keyframe_places(self._clip(index), most=identity.max_frames, frames_by=identity.frames_by)

    def latents(self, index: int) -> Float[Tensor, "F C H W"]:
        shard, row = self._place(index)
        held = self._shard(shard)
        numbers = self._numbers(held, row, "latents", self._training.identity.latents_dtype)
        return numbers.view(-1, *held.latent_shape)

    def features(self, index: int) -> Float[Tensor, "F R"]:
        shard, row = self._place(index)
        held = self._shard(shard)
        return self._numbers(held, row, "features", "float32").view(held.numbers["num_frames"][row].as_py(), -1)

    def text(self, index: int, column: str) -> str:
        """Return a text of the list of clips."""
        shard, row = self._place(index)
        found: str = self._shard(shard).clips[column][row].as_py()
        return found

    def _clip(self, index: int) -> Clip:
        shard, row = self._place(index)
        (clip,) = read_clips(self._shard(shard).clips.slice(row, 1), self._training.root)
        return clip

    def _numbers(self, held: _Shard, row: int, column: str, dtype: str) -> Float[Tensor, " N"]:
        # a copy in float32, since memory of Arrow must not be written to
        return torch.from_numpy(np.frombuffer(held.numbers[column][row].as_buffer(), dtype).astype(np.float32))

    def _place(self, index: int) -> tuple[int, int]:
        """Return the shard of a clip and its row there."""
        shard = bisect_right(self._ends, index)
        return shard, index - (self._ends[shard] - self.shard_sizes[shard])

    def _read(self, shard: int) -> _Shard:
        """Read a shard, and remove it from the store if it is damaged, so that the next run makes it again."""
        key = self._training.shards[shard]
        path = self._store.path(SHARD, key) / SHARD_FILE
        try:
            numbers = parquet.read_table(path, page_checksum_verification=True)
            shape = tuple(int(side) for side in numbers.schema.metadata[LATENT_SHAPE].split(b","))
        except (pa.ArrowException, OSError) as fault:
            self._store.remove(SHARD, key)
            raise StoreError(
                f"{path}: the shard of prepared training clips is damaged: {fault}. It is removed; repeat the command "
                "to make it again. Training continues from its last checkpoint."
            ) from fault
        return _Shard(clips=self._list.read_row_group(shard), numbers=numbers, latent_shape=shape)


class _Column(Sequence[str]):
    """A text of every clip, read on demand."""

    def __init__(self, clips: StoredTrainingClips, column: str) -> None:
        self._clips, self._column = clips, column

    def __len__(self) -> int:
        return len(self._clips)

    def __getitem__(self, index: int) -> str:  # type: ignore[override]
        return self._clips.text(index, self._column)
