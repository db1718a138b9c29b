"""Groups of clips for the delete-a-group jackknife, and bootstrap resamples; core.intervals makes the intervals."""

from collections import Counter
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from rdtf_bench.core.errors import DataError
from rdtf_bench.core.metric import NUM_GROUPS
from rdtf_bench.core.seeds import generator_for, seed_for


def groups(clip_ids: Sequence[str], clusters: Sequence[str], num_groups: int = NUM_GROUPS) -> list[int]:
    """Return the group of each clip.

    The groups depend on the ids but not on their order, and have similar sizes. Clips of one cluster (of one caption,
    drawing, scene or video) are not independent and share a group. The clusters with the most clips are placed first,
    each into the smallest group so far; a hash of the ids decides between equals. Fewer clusters than `num_groups` give
    fewer groups. Raises DataError if all clips are of one cluster.
    """
    members: dict[str, list[str]] = {}
    for clip_id, cluster in zip(clip_ids, clusters, strict=True):
        members.setdefault(cluster, []).append(clip_id)
    if len(members) < 2:
        raise DataError(
            "all clips are of one cluster (of one caption, drawing, scene or video), and an interval needs at least 2. "
            "Add clips of others."
        )
    order = sorted(members, key=lambda cluster: (-len(members[cluster]), _rank(members[cluster])))
    sizes = [0] * min(num_groups, len(members))
    group_of = {}
    for cluster in order:
        group_of[cluster] = sizes.index(min(sizes))
        sizes[group_of[cluster]] += len(members[cluster])
    return [group_of[cluster] for cluster in clusters]


def _rank(clip_ids: Sequence[str]) -> int:
    return min(seed_for(clip_id, "jackknife group") for clip_id in clip_ids)


def mean_without_each_group(values: Float[Tensor, " N"], groups: Sequence[int]) -> tuple[float, ...]:
    """Return the mean without the clips of each group, in the order of the group numbers."""
    if len(values) != len(groups):
        raise DataError(f"{len(values)} values cannot share {len(groups)} group numbers")
    number = torch.tensor(groups)
    return tuple(float(values.double()[number != group].mean()) for group in sorted(set(groups)))


def evened(value: float, without_group: Sequence[float], groups: Sequence[int]) -> tuple[float, ...]:
    """Rescale the values without each group to groups of equal size.

    A Frechet distance has a bias of about c / n. Leaving out 3 clips therefore moves it further than leaving out 2,
    whichever clips they are, and the plain jackknife would count that difference as variance. The change of a group of
    m clips is scaled by (n / m - 1), as in the jackknife of unequal groups (Busing, Meijer and van der Leeden 1999,
    eq. 5).
    """
    sizes = Counter(groups)
    per_group = [len(groups) / sizes[group] - 1 for group in sorted(sizes)]
    pairs = zip(without_group, per_group, strict=True)
    return tuple(value + (left_out - value) * scale / (len(sizes) - 1) for left_out, scale in pairs)


def resamples(clusters: Sequence[str], count: int) -> list[Int64[Tensor, " R"]]:
    """Draw `count` bootstrap resamples: whole clusters of clips with replacement, as many as there are clusters.

    Clips of one prompt, or of one drawing, form a cluster. Use the resamples for a standard deviation
    (`bootstrap_deviation`); percentile intervals of a Frechet distance exclude the distance itself.
    """
    members: dict[str, list[int]] = {}
    for index, cluster in enumerate(clusters):
        members.setdefault(cluster, []).append(index)
    clips = [torch.tensor(indices) for indices in members.values()]
    drawn = torch.randint(len(clips), (count, len(clips)), generator=generator_for("bootstrap", len(clusters)))
    return [torch.cat([clips[cluster] for cluster in row]) for row in drawn.tolist()]


def bootstrap_deviation(values: Sequence[float]) -> float:
    """Return the standard deviation over resamples; paired differences give that of the difference."""
    if len(values) < 2:
        raise DataError(f"a deviation needs at least 2 resamples, there is {len(values)}")
    return float(torch.tensor(values, dtype=torch.float64).std())
