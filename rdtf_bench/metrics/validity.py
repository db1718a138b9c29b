"""How a metric's value moves as clips get worse: curves over graded faults, and whether it sees a fault at all."""

from collections.abc import Sequence
from dataclasses import dataclass

from scipy.stats import spearmanr

from rdtf_bench.core.metric import Metric
from rdtf_bench.core.video import VideoU8
from rdtf_bench.metrics.distortions import swap_captions, with_fault
from rdtf_bench.metrics.statistics import groups

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
MONOTONE = 0.9
"""Rank correlation of value and severity from which a metric sees a fault."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """`values[0]` is of clips without the fault, the others of growing strength."""

    fault: str
    values: tuple[float, ...]
    higher_is_better: bool

    @property
    def rank_correlation(self) -> float:
        """Spearman's, of severity and how bad the metric finds it: 1 is monotone, 0 where nothing moves."""
        if len(set(self.values)) == 1:
            return 0.0
        sign = -1 if self.higher_is_better else 1
        return float(spearmanr(range(len(self.values)), [sign * value for value in self.values]).statistic)

    @property
    def is_seen(self) -> bool:
        return self.rank_correlation >= MONOTONE


def curve(
    metric: Metric,
    fault: str,
    *,
    video: VideoU8,
    real: VideoU8,
    clip_ids: Sequence[str],
    captions: Sequence[str],
    higher_is_better: bool,
    strengths: Sequence[float] = STRENGTHS,
) -> Curve:
    """The metric of `video` against `real` (equally many clips) as `video` gets a fault of distortions.py."""
    numbers = groups(clip_ids, captions)
    theirs = metric.observe(real, clip_ids)
    intact = metric.observe(video, clip_ids)
    values = [metric.score(fake=intact, real=theirs, captions=captions, groups=numbers).value]
    for strength in strengths:
        ours, said = intact, captions
        if fault == "caption_swap":
            said = swap_captions(captions, strength)
        else:
            ours = metric.observe(with_fault(video, fault, strength, clip_ids), clip_ids)
        values.append(metric.score(fake=ours, real=theirs, captions=said, groups=numbers).value)
    return Curve(fault=fault, values=tuple(values), higher_is_better=higher_is_better)
