"""Ids of clips as tensors, so that they sync: a clip that a distributed sampler gave twice counts once."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from rdtf_bench.core.errors import DataError
from rdtf_bench.core.seeds import seed_for

NO_ID = -1  # ids are 63-bit hashes, so never negative


def hashed(clip_ids: Sequence[str] | None, num_clips: int) -> Int64[Tensor, " N"]:
    """A number for each clip, NO_ID where there are no ids; DataError where there are not as many as clips."""
    if clip_ids is None:
        return torch.full((num_clips,), NO_ID)
    if len(clip_ids) != num_clips:
        raise DataError(f"{num_clips} clips came with {len(clip_ids)} ids")
    return torch.tensor([seed_for(clip_id) for clip_id in clip_ids], dtype=torch.long)


def first_of_each(ids: Int64[Tensor, " N"]) -> Bool[Tensor, " N"]:
    """1 where an id comes for the first time, and where there is none."""
    seen: set[int] = set()
    first = []
    for number in ids.tolist():
        first.append(number == NO_ID or number not in seen)
        seen.add(number)
    return torch.tensor(first, dtype=torch.bool, device=ids.device)
