"""Ids of clips as tensors that sync between processes, so that a clip that a sampler repeats counts once."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Int64
from torch import Tensor

from rdtf_bench.core.errors import DataError
from rdtf_bench.core.seeds import seed_for

NO_ID = -1  # hashed ids have 63 bits and are never negative


def hashed(clip_ids: Sequence[str] | None, num_clips: int) -> Int64[Tensor, " N"]:
    """Return one number per clip: a hash of its id, or NO_ID if no ids are given.

    Raises DataError if the numbers of ids and clips differ.
    """
    if clip_ids is None:
        return torch.full((num_clips,), NO_ID)
    if len(clip_ids) != num_clips:
        raise DataError(f"{num_clips} clips came with {len(clip_ids)} ids")
    return torch.tensor([seed_for(clip_id) for clip_id in clip_ids], dtype=torch.long)


def first_of_each(ids: Int64[Tensor, " N"]) -> Bool[Tensor, " N"]:
    """Return a mask that is true for the first clip of each id, and for every clip without an id."""
    seen: set[int] = set()
    first = []
    for number in ids.tolist():
        first.append(number == NO_ID or number not in seen)
        seen.add(number)
    return torch.tensor(first, dtype=torch.bool, device=ids.device)
