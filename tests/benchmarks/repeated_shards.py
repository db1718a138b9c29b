"""A training split of any size at scale tiny, made by repeating one shard, so that nothing is decoded or encoded."""

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import torch

from rdtf_bench.core.dataset import Clip
from rdtf_bench.core.seeds import generator_for
from rdtf_bench.core.store import Store
from rdtf_bench.run.inputs.shards import LATENT_SHAPE
from rdtf_bench.run.inputs.training_set import SHARD, SHARD_FILE, TrainingSet, training_set, write_list
from rdtf_bench.spec.identities import TrainingSetIdentity

LATENT = (4, 8, 8)
CLIPS_PER_SHARD = 256


def write(root: Path, num_clips: int) -> tuple[Store, TrainingSet]:
    """Write a list of clips and shards of random latents and features into a store."""
    store = Store(root)
    clips = [
        Clip(
            id=f"asg/{number:07d}",
            path=root / f"{number:07d}.gif",
            caption=f"sticker number {number} of a large set",
            cluster=str(number),
            split="train",
            num_frames=8 + number % 9,
            sha256=f"{number:064x}",
        )
        for number in range(num_clips)
    ]
    identity = TrainingSetIdentity(
        train="repeated",
        size_px=64,
        max_frames=16,
        autoencoder="a",
        frame_features="f",
        clips_per_shard=CLIPS_PER_SHARD,
    )
    training = training_set(identity, root, num_clips, clips)
    write_list(store, training, clips)
    for size in {training.size_of(shard) for shard in range(training.num_shards)}:
        _write_shard(root / f"{size}.parquet", size)
    for shard, key in enumerate(training.shards):
        folder = store.path(SHARD, key)
        folder.mkdir(parents=True)
        os.link(root / f"{training.size_of(shard)}.parquet", folder / SHARD_FILE)
    return store, training


def _write_shard(path: Path, num_clips: int) -> None:
    generator = generator_for("shard")
    counts = [8 + number % 9 for number in range(num_clips)]
    latents = [torch.randn(count, *LATENT, generator=generator).numpy().tobytes() for count in counts]
    features = [torch.randn(count, count, generator=generator).numpy().tobytes() for count in counts]
    table = pa.table(
        {
            "num_frames": pa.array(counts, pa.int32()),
            "latents": pa.array(latents, pa.binary()),
            "features": pa.array(features, pa.binary()),
        }
    ).replace_schema_metadata({LATENT_SHAPE: ",".join(map(str, LATENT))})
    parquet.write_table(table, path, compression="none", use_dictionary=False, write_page_checksum=True)
