"""CPU milliseconds of one draw of a sticker's frames by clustering, once its features are cached.

    OMP_NUM_THREADS=1 python tests/benchmarks/frame_extraction.py [--frames 64]

k is 3 to 8 in turn, as in training. 320 features a frame are EfficientNet-Lite0's, 4096 VGG-16's.
"""

import argparse
import statistics
import time

import torch
from sklearn.cluster import KMeans

from rdtf_bench.data.frames import ClusteredFrames, rotated

WIDTHS = (320, 4096)
DRAWS = 200


def drifting(num_frames: int, width: int) -> torch.Tensor:
    """Features that move on from frame to frame, as those of an animation do."""
    return torch.randn(num_frames, width, generator=torch.Generator().manual_seed(0)).cumsum(0)


def milliseconds(num_frames: int, width: int) -> dict[str, list[float]]:
    """Measure the preparation, each draw, and scikit-learn's k-means on the features as they are."""
    features = drifting(num_frames, width)
    generator = torch.Generator().manual_seed(1)
    taken: dict[str, list[float]] = {"prepared, once": [], "a draw": [], "k-means, not rotated": []}
    for draw in range(DRAWS):
        k = 3 + draw % 6
        began_s = time.process_time()
        frames = ClusteredFrames(rotated(features))
        prepared_s = time.process_time()
        frames.draw(k, generator)
        drawn_s = time.process_time()
        KMeans(n_clusters=k, n_init=1, random_state=draw).fit(features.numpy())
        ended_s = time.process_time()
        for name, seconds in zip(taken, (prepared_s - began_s, drawn_s - prepared_s, ended_s - drawn_s), strict=True):
            taken[name].append(1000 * seconds)
    return taken


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--frames", type=int, default=64)
    num_frames = parser.parse_args().frames
    torch.set_num_threads(1)
    for width in WIDTHS:
        for name, taken in milliseconds(num_frames, width).items():
            tenths = statistics.quantiles(taken, n=10)
            print(
                f"{num_frames} frames of {width:4} features, {name:20} {statistics.median(taken):6.2f} CPU ms "
                f"({tenths[0]:.2f} to {tenths[-1]:.2f} in 8 of 10)"
            )


if __name__ == "__main__":
    main()
