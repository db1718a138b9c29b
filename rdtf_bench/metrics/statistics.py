"""Groups of clips for the delete-a-group jackknife, and means without them; the intervals are in core.intervals."""

from collections import Counter
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from rdtf_bench.core.errors import DataError
from rdtf_bench.core.metric import NUM_GROUPS
from rdtf_bench.core.seeds import generator_for, seed_for


def groups(clip_ids: Sequence[str], captions: Sequence[str], num_groups: int = NUM_GROUPS) -> list[int]:
    """The group of each clip: fixed by the ids whatever their order, balanced, equal captions together.

    Clips with the same caption are not independent, so they are left out together. The largest captions are placed
    first, each into the smallest group so far; among equals a hash of the ids decides. There are fewer groups where
    there are fewer captions, and DataError where all clips have one caption.
    """
    members: dict[str, list[str]] = {}
    for clip_id, caption in zip(clip_ids, captions, strict=True):
        members.setdefault(caption, []).append(clip_id)
    if len(members) < 2:
        raise DataError("all clips have the same caption: groups of clips for an interval need at least 2 captions")
    order = sorted(members, key=lambda caption: (-len(members[caption]), _rank(members[caption])))
    sizes = [0] * min(num_groups, len(members))
    group_of = {}
    for caption in order:
        group_of[caption] = sizes.index(min(sizes))
        sizes[group_of[caption]] += len(members[caption])
    return [group_of[caption] for caption in captions]


def _rank(clip_ids: Sequence[str]) -> int:
    return min(seed_for(clip_id, "jackknife group") for clip_id in clip_ids)


def mean_without_each_group(values: Float[Tensor, " N"], groups: Sequence[int]) -> tuple[float, ...]:
    """The mean with the clips of each group left out, in the order of the groups' numbers."""
    if len(values) != len(groups):
        raise DataError(f"{len(values)} values cannot share {len(groups)} group numbers")
    number = torch.tensor(groups)
    return tuple(float(values.double()[number != group].mean()) for group in sorted(set(groups)))


def evened(value: float, without_group: Sequence[float], groups: Sequence[int]) -> tuple[float, ...]:
    """Values without each group, rescaled to what they would be were all groups of the same size.

    A Frechet distance is biased by about c / n, so leaving out 3 clips moves it further than leaving out 2 whatever
    the clips are, and the plain jackknife would take that step for spread. The change is scaled by (n / m - 1) of a
    group of m clips, as in the jackknife of unequal groups (Busing, Meijer and van der Leeden 1999, eq. 5).
    """
    sizes = Counter(groups)
    per_group = [len(groups) / sizes[group] - 1 for group in sorted(sizes)]
    pairs = zip(without_group, per_group, strict=True)
    return tuple(value + (left_out - value) * scale / (len(sizes) - 1) for left_out, scale in pairs)


def resamples(clusters: Sequence[str], count: int) -> list[Int64[Tensor, " R"]]:
    """`count` bootstrap draws of clips: whole clusters with replacement, as many as there are.

    Clips of one prompt, or of one drawing, are one cluster. Use them for deviations (`bootstrap_deviation`): percentile
    intervals of a Frechet distance exclude the distance itself.
    """
    members: dict[str, list[int]] = {}
    for index, cluster in enumerate(clusters):
        members.setdefault(cluster, []).append(index)
    clips = [torch.tensor(indices) for indices in members.values()]
    drawn = torch.randint(len(clips), (count, len(clips)), generator=generator_for("bootstrap", len(clusters)))
    return [torch.cat([clips[cluster] for cluster in row]) for row in drawn.tolist()]


def bootstrap_deviation(values: Sequence[float]) -> float:
    """Standard deviation over resamples; of a difference, where the values are paired differences."""
    if len(values) < 2:
        raise DataError(f"a deviation needs at least 2 resamples, there is {len(values)}")
    return float(torch.tensor(values, dtype=torch.float64).std())
