"""A cache of the features of a reference set, under a hash of everything that determines them.

The key covers every byte of every clip with its id, the weights of the network, and the preprocessing of frames in time
and space. The file repeats the key, so that a renamed or stale file raises an error instead of returning the features
of another set.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from rdtf_bench.core.errors import DataError
from rdtf_bench.core.store import key_of, written_whole
from rdtf_bench.core.video import VideoU8
from rdtf_bench.metrics.features.clip_networks import ClipNetwork, NamedNetwork


def cached_features(
    network: ClipNetwork, video: VideoU8, clip_ids: Sequence[str], *, folder: Path
) -> Float[Tensor, "N D"]:
    """Return the features of each clip, from the folder if it has them; they are the input of `update_features`.

    The features have the order of the clips, which does not change the key. Raises DataError if the file of that key
    holds something else.
    """
    if not isinstance(network, NamedNetwork):
        raise DataError(f"{network.yardstick}: a cache needs a network with `weights_sha256` and `full_name`")
    identity = {
        "clips": digest(video, clip_ids),
        "weights": network.weights_sha256,
        "network": network.full_name(video.shape[1]),
        "dtype": "float32",
    }
    path = folder / f"{key_of(identity)}.safetensors"
    order = sorted(range(len(clip_ids)), key=lambda i: clip_ids[i])
    if not path.is_file():
        _write(path, network(video[order]).cpu(), identity)
    found = _read(path, identity, shape=(len(clip_ids), network.num_features))
    placed = torch.empty_like(found)
    placed[order] = found
    return placed


def digest(video: VideoU8, clip_ids: Sequence[str]) -> str:
    """Return the SHA-256 of the clips, sorted by id; raise DataError if two clips have the same id."""
    if len(clip_ids) != len(video):
        raise DataError(f"{len(video)} clips came with {len(clip_ids)} ids")
    if len(set(clip_ids)) < len(clip_ids):
        raise DataError("ids of a reference set must all be different")
    sha256 = hashlib.sha256()
    for clip_id, clip in sorted(zip(clip_ids, video, strict=True), key=lambda pair: pair[0]):
        sha256.update(f"{clip_id}\x1f{tuple(clip.shape)}\x1f".encode())
        sha256.update(clip.cpu().contiguous().numpy().tobytes())
    return sha256.hexdigest()


def _write(path: Path, features: Float[Tensor, "N D"], identity: dict[str, Any]) -> None:
    with written_whole(path) as making:
        metadata = {"identity": json.dumps(identity, sort_keys=True)}
        save_file({"features": features.contiguous()}, making, metadata=metadata)


def _read(path: Path, identity: dict[str, Any], *, shape: tuple[int, int]) -> Float[Tensor, "N D"]:
    try:
        with safe_open(path, framework="pt") as file:
            said = json.loads((file.metadata() or {}).get("identity", "{}"))
            features = file.get_tensor("features")
    except (SafetensorError, json.JSONDecodeError) as error:
        raise DataError(f"{path}: cannot be read as cached features: {error}. Delete the file.") from error
    if said != identity or tuple(features.shape) != shape:
        wrong = sorted(key for key in identity if said.get(key) != identity[key]) or ["features"]
        raise DataError(f"{path}: holds features of something else ({', '.join(wrong)} differ). Delete the file.")
    return features
