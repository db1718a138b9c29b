"""Figure 3: how many clips have how many frames, beside a published histogram. No torch."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence

from rdtf_bench.core.dataset import Clip
from rdtf_bench.run.figures.plan import Row
from rdtf_bench.spec.schema import FrameCounts


def rows(clips: Sequence[Clip], published: FrameCounts) -> list[Row]:
    """Return one row for each bin: the clips in it and their share, beside the published number and its share."""
    counts = Counter(bisect_left(published.largest, clip.num_frames) for clip in clips)
    total, total_published = len(clips), sum(published.thousands)
    return [
        {
            "frames": label,
            "clips": counts[place],
            "share_pct": round(100 * counts[place] / total, 2),
            "published_thousands": thousands,
            "published_share_pct": round(100 * thousands / total_published, 2),
        }
        for place, (label, thousands) in enumerate(zip(_labels(published.largest), published.thousands, strict=True))
    ]


def _labels(largest: Sequence[int]) -> list[str]:
    """Return the bins as text.

    >>> _labels([10, 20])
    ['2-10', '11-20', '21 or more']
    """
    smallest = [2, *(end + 1 for end in largest)]
    return [*(f"{first}-{last}" for first, last in zip(smallest, largest, strict=False)), f"{smallest[-1]} or more"]
