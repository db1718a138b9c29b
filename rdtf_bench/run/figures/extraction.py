"""Figure 4: the frames that clustering takes from clips, and how much of their content these cover."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from rdtf_bench import catalog
from rdtf_bench.assets import registry
from rdtf_bench.core.dataset import Clip
from rdtf_bench.core.errors import DataError
from rdtf_bench.core.seeds import generator_for
from rdtf_bench.data.frames import ClusteredFrames, equal_intervals
from rdtf_bench.data.reading.clips import all_frames
from rdtf_bench.run.build.modules import device_of
from rdtf_bench.run.figures.plan import Row
from rdtf_bench.run.progress import Report
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import FrameExtraction

SEED = 0


@dataclass(frozen=True, kw_only=True)
class Example:
    """The frames of one clip, and the numbers of those that each way of extraction takes."""

    caption: str
    frames: UInt8[np.ndarray, "F C H W"]
    clustered: tuple[int, ...]
    equal: tuple[int, ...]


def choose(clips: Sequence[Clip], dataset: str, extraction: FrameExtraction) -> tuple[Clip, ...]:
    """Return training clips that have more frames than the largest k. Raises DataError if there are less than two."""
    fewest = max(extraction.k) + 1
    chosen = catalog.load("dataset", dataset).choose(clips, split="train", most=extraction.num_clips, min_frames=fewest)
    if len(chosen.clips) < 2:
        raise DataError(
            f"{dataset}: {len(chosen.clips)} training clips have {fewest} frames or more, and at least two are needed. "
            "Add longer ones."
        )
    found: tuple[Clip, ...] = chosen.clips
    return found


def measure(
    clips: Sequence[Clip], extraction: FrameExtraction, scale: Scale, report: Report
) -> tuple[list[Row], list[Example]]:
    """Return the coverage of both ways of extraction for each k, and clips for the picture."""
    name = scale.asset("frame_features", "the choice of frames")
    device = device_of(scale)
    torch.set_num_threads(scale.threads_per_worker)  # frames are so small that more threads wait for each other
    network = catalog.load("feature", name).load(registry.find(name).path, device)
    found: dict[int, list[tuple[float, float]]] = {k: [] for k in extraction.k}
    examples: list[Example] = []
    shown = {place * len(clips) // extraction.shown_clips for place in range(extraction.shown_clips)}
    for number, clip in enumerate(clips):
        shape = scale.clip
        frames = all_frames(
            clip, most=extraction.max_frames, size_px=shape.size_px, frames_by=shape.frames_by, fit=shape.fit
        )
        features = network.features(frames.to(device), size_px=shape.size_px).float().cpu()
        clusters, same = ClusteredFrames(features), same_content(frames, extraction.tolerance)
        for k in extraction.k:
            drawn = [clusters.draw(k, generator_for(SEED, clip.id, k, draw)) for draw in range(extraction.draws)]
            by_clusters = fmean(coverage(same, taken) for taken in drawn)
            found[k].append((by_clusters, coverage(same, equal_intervals(len(frames), k))))
            if k == extraction.shown_k and number in shown:
                equal = equal_intervals(len(frames), k)
                examples.append(Example(caption=clip.caption, frames=frames.numpy(), clustered=drawn[0], equal=equal))
        report.advance(number + 1, len(clips))
    return [row_of(k, pairs) for k, pairs in found.items()], examples


def same_content(frames: UInt8[Tensor, "F C H W"], tolerance: float) -> Float[Tensor, "D F"]:
    """Return which frames show the same content as each of the D distinct ones: 1 where they do.

    Two frames show the same if the root mean square of the differences of their pixels is at most the tolerance. A
    frame that differs from all distinct ones before it is a further distinct one.
    """
    pixels = frames.flatten(1).double()
    same = torch.cdist(pixels, pixels) <= tolerance * pixels.shape[1] ** 0.5
    distinct: list[int] = []
    for number in range(len(frames)):
        if not same[number, distinct].any():
            distinct.append(number)
    return same[distinct].float()


def coverage(same: Float[Tensor, "D F"], taken: Sequence[int]) -> float:
    """Return the share of the distinct frames whose content one of the taken frames shows."""
    return float(same[:, list(taken)].amax(dim=1).mean())


def row_of(k: int, pairs: Sequence[tuple[float, float]]) -> Row:
    """Return the means over clips in percent, and the 95 % interval of the paired difference."""
    differences = [100 * (clustered - equal) for clustered, equal in pairs]
    mean, half = fmean(differences), 1.96 * stdev(differences) / len(pairs) ** 0.5
    return {
        "k": k,
        "clustering_pct": round(100 * fmean(clustered for clustered, _ in pairs), 2),
        "equal_intervals_pct": round(100 * fmean(equal for _, equal in pairs), 2),
        "difference_points": round(mean, 2),
        "low_95": round(mean - half, 2),
        "high_95": round(mean + half, 2),
        "clips": len(pairs),
    }
