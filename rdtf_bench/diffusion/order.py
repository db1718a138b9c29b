"""The order in which training sees the clips: a shuffle that reads a few shards of the training split at a time.

Every pass over the clips has an order of its own, which depends on the random seed alone. The shards are drawn in a
random order and taken together in windows of `WINDOW_SHARDS`; the clips of a window are shuffled among each other.
Training therefore needs the shards of one window at a time. Where all shards fit into one window, the order is a
random permutation of all clips.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate

import torch
from jaxtyping import Int
from torch import Tensor

from rdtf_bench.core.method import Training
from rdtf_bench.core.seeds import generator_for

WINDOW_SHARDS = 4


def batch_indices(shard_sizes: Sequence[int], training: Training, step: int) -> list[int]:
    """Return the indices of the clips in the batch of a step; a batch may span the end of one pass and the next.

    `shard_sizes` holds the number of clips of each shard. The clips are numbered through all shards.
    """
    sizes = tuple(shard_sizes)
    num_clips = sum(sizes)
    first = step * training.batch_size
    places = range(first, first + training.batch_size)
    return [int(_order(sizes, training.seed, place // num_clips)[place % num_clips]) for place in places]


@lru_cache(maxsize=2)  # the order of millions of clips is slow to draw, and a batch may span two passes
def _order(sizes: tuple[int, ...], seed: int, epoch: int) -> Int[Tensor, " num_clips"]:
    """Return the indices of all clips in the order of one pass."""
    ends = list(accumulate(sizes))
    shards = torch.randperm(len(sizes), generator=generator_for(seed, "shards", epoch)).tolist()
    clips_drawn = generator_for(seed, "order", epoch)
    windows = []
    for start in range(0, len(shards), WINDOW_SHARDS):
        # sorted, so that the order of a single window does not depend on how the clips are divided into shards
        window = sorted(shards[start : start + WINDOW_SHARDS])
        clips = torch.cat([torch.arange(ends[shard] - sizes[shard], ends[shard]) for shard in window])
        windows.append(clips[torch.randperm(len(clips), generator=clips_drawn)])
    return torch.cat(windows)
