"""Validity curves: the value of a metric over a fault of growing strength, and whether it detects the fault."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from jaxtyping import Float
from scipy.stats import kendalltau, spearmanr
from torch import Tensor

from rdtf_bench.core.metric import Metric, Score
from rdtf_bench.core.video import VideoU8
from rdtf_bench.metrics.statistics import groups
from rdtf_bench.metrics.trials.distortions import swap_captions, with_fault

STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
MONOTONE = 0.9
"""Rank correlation of value and severity from which on a fault counts as detected."""
ROUNDING = 1e-9
"""Relative range of values that counts as constant.

A mean over reordered frames differs in its last digits, which would otherwise be ranked."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """The values of a metric: the first for intact clips, the others for a fault of growing strength."""

    fault: str
    values: tuple[float, ...]
    higher_is_better: bool
    without_group: tuple[tuple[float, ...], ...] = ()
    """The values without each group of clips: one tuple for each of `values`."""

    @property
    def rank_correlation(self) -> float:
        """Spearman's correlation of severity and badness by the metric: 1 if monotone, 0 if no value moves."""
        if max(self.values) - min(self.values) <= ROUNDING * max(map(abs, self.values)):
            return 0.0
        sign = -1 if self.higher_is_better else 1
        return float(spearmanr(range(len(self.values)), [sign * value for value in self.values]).statistic)

    @property
    def is_seen(self) -> bool:
        """Return whether the value follows the strength of the fault, by MONOTONE."""
        return self.rank_correlation >= MONOTONE


class Thinned:
    """A metric that sees only every `every`-th frame of a clip, whose faults were applied to all frames."""

    def __init__(self, metric: Metric, *, every: int) -> None:
        self.metric, self.every = metric, every

    @property
    def yardstick(self) -> str:
        return self.metric.yardstick

    def observe(self, video: VideoU8, clip_ids: Sequence[str]) -> Float[Tensor, "B ..."]:
        return self.metric.observe(video[:, :: self.every], clip_ids)

    def score(
        self,
        *,
        fake: Float[Tensor, "N ..."],
        real: Float[Tensor, "M ..."],
        captions: Sequence[str],
        groups: Sequence[int],
    ) -> Score:
        return self.metric.score(fake=fake, real=real, captions=captions, groups=groups)


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
    """Return the curve of `video` against `real` (equally many clips) under a fault of distortions.py."""
    (found,) = curves(
        metric,
        [fault],
        video=video,
        real=real,
        clip_ids=clip_ids,
        captions=captions,
        higher_is_better=higher_is_better,
        strengths=strengths,
    )
    return found


def curves(
    metric: Metric,
    faults: Sequence[str],
    *,
    video: VideoU8,
    real: VideoU8,
    clip_ids: Sequence[str],
    captions: Sequence[str],
    higher_is_better: bool,
    strengths: Sequence[float] = STRENGTHS,
) -> Iterator[Curve]:
    """Yield the curve of each fault in turn; the intact clips are observed once."""
    numbers = groups(clip_ids, captions)
    theirs = metric.observe(real, clip_ids)
    intact = metric.observe(video, clip_ids)
    for fault in faults:
        scores = [metric.score(fake=intact, real=theirs, captions=captions, groups=numbers)]
        for strength in strengths:
            ours, said = intact, captions
            if fault == "caption_swap":
                said = swap_captions(captions, strength)
            else:
                ours = metric.observe(with_fault(video, fault, strength, clip_ids), clip_ids)
            scores.append(metric.score(fake=ours, real=theirs, captions=said, groups=numbers))
        yield Curve(
            fault=fault,
            values=tuple(score.value for score in scores),
            higher_is_better=higher_is_better,
            without_group=tuple(score.without_group for score in scores),
        )


def tau(whole: Sequence[Sequence[float]], part: Sequence[Sequence[float]]) -> float:
    """Return Kendall's tau-b of two metrics' values on the same clips with the same faults.

    Each row holds the `Curve.values` of one fault. Its first value is that of the intact clips, which count once. The
    result is 0 if all values of one metric are equal.
    """
    ours, theirs = ([rows[0][0], *chain.from_iterable(values[1:] for values in rows)] for rows in (part, whole))
    if len(set(ours)) == 1 or len(set(theirs)) == 1:
        return 0.0
    return float(kendalltau(ours, theirs).statistic)
