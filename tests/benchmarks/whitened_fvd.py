"""Compares scalings of the features of EfficientNet-Lite0: whether an FVD of whitened features sees faults better.

    python -m tests.benchmarks.whitened_fvd [--data DIR] [--clips 128]

The features are the mean over frames and the mean absolute first and second differences, of 320 dimensions each. They
are compared as they are, with each of the three blocks divided by its standard deviation over the real clips, and with
each dimension divided by its own. Test clips with a fault of growing strength are compared with other real clips. It
prints the rank correlation of value and strength, and by how many standard deviations (paired jackknife) the two
weakest forms of the fault and its strongest form differ from intact clips.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from rdtf_bench.core.intervals import deviation
from rdtf_bench.data.reading.clips import clip_frames
from rdtf_bench.metrics.features import efficientnet
from rdtf_bench.metrics.features.clip_networks import EfficientNetClips
from rdtf_bench.metrics.frechet import frechet_distance, without_each_group
from rdtf_bench.metrics.statistics import groups
from rdtf_bench.metrics.trials.distortions import with_fault
from rdtf_bench.metrics.trials.validity import STRENGTHS, Curve
from rdtf_bench.run.inputs import datasets
from rdtf_bench.run.protocols import load_scale

FAULTS = ("blur", "noise", "block", "colour", "freeze", "shuffle", "drop", "collapse")
SHOWN = (1, 2, 5)  # of the curve, whose first value is that of intact clips

Features = Float[Tensor, "N D"]
Scaling = Callable[[Features], Features]


def scalings(real: Features) -> dict[str, Scaling]:
    blocks = torch.split(real, real.shape[1] // 3, dim=1)
    by_block = torch.cat([block.var(0).sum().sqrt().expand(block.shape[1]) for block in blocks])
    own = real.std(0)
    by_dimension = own.clamp_min(own.median() / 100)  # a dimension that never moves would decide everything
    return {"as they are": lambda x: x, "by block": lambda x: x / by_block, "by dimension": lambda x: x / by_dimension}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", help="a folder of stickers; default: the built-in ones")
    parser.add_argument("--clips", type=int, default=128)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    scale = load_scale("tiny")
    shape = scale.clip.model_dump()
    with tempfile.TemporaryDirectory() as folder:
        sizes = scale.data.model_copy(update={"test": asked.clips, "train": 100 * asked.clips})
        fewest = scale.clip.fewest_frames
        data = datasets.read("asg", asked.data, sizes, fewest, store=Path(folder), skip_broken=True)
        test = data.clips["test"]
        other = [clip for clip in data.clips["train"] if clip.num_frames >= fewest][: len(test)]
        test = test[: len(other)]
        video, real_video = (torch.stack([clip_frames(clip, **shape) for clip in side]) for side in (test, other))
    network = EfficientNetClips(efficientnet.load(), size_px=scale.clip.size_px)
    ids = [clip.id for clip in test]
    numbers = groups(ids, [clip.caption for clip in test])
    real, intact = (network(side).cpu().double() for side in (real_video, video))
    used = scalings(real)
    print(f"{len(test)} clips; total variance of the blocks: mean, first, second difference")
    print("  ".join(f"{block.var(0).sum():.0f}" for block in torch.split(real, real.shape[1] // 3, dim=1)))
    for fault in FAULTS:
        damaged = [network(with_fault(video, fault, strength, ids)).cpu().double() for strength in STRENGTHS]
        for name, scaled in used.items():
            values, leads = [], []
            plain = without_each_group(fake=scaled(intact), real=scaled(real), groups=numbers)
            for fake in (intact, *damaged):
                values.append(frechet_distance(fake=scaled(fake), real=scaled(real)))
                without = without_each_group(fake=scaled(fake), real=scaled(real), groups=numbers)
                spread = deviation([ours - theirs for ours, theirs in zip(without, plain, strict=True)])
                leads.append((values[-1] - values[0]) / spread if spread else 0.0)
            curve = Curve(fault=fault, values=tuple(values), higher_is_better=False)
            told = ", ".join(f"{leads[i]:+.1f}" for i in SHOWN)
            print(f"{fault:9} {name:12} rank correlation {curve.rank_correlation:+.2f}; deviations {told}", flush=True)


if __name__ == "__main__":
    main()
