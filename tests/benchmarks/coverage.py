"""What share of 95 % intervals of a paired FVD difference hold the expected difference, over simulated data sets.

    OMP_NUM_THREADS=1 python tests/benchmarks/coverage.py [--sets 2000] [--n 100] [--d 8]

Two methods share a real set and their prompts. The expected difference at this n is the mean over all data sets.
"""

import argparse
import math

import torch
from jaxtyping import Float
from torch import Tensor

from rdtf_bench.core.intervals import Estimate, difference
from rdtf_bench.core.metric import NUM_GROUPS
from rdtf_bench.metrics.frechet import frechet_distance, without_each_group
from rdtf_bench.metrics.statistics import evened


def simulated(n: int, d: int, generator: torch.Generator) -> Estimate:
    axes = torch.arange(1, d + 1, dtype=torch.float64) ** -0.5
    real, shared, own = torch.randn(3, n, d, generator=generator, dtype=torch.float64) * axes
    groups = [i % NUM_GROUPS for i in range(n)]
    rows: list[tuple[float, tuple[float, ...]]] = []
    fakes: list[Float[Tensor, "N D"]] = [0.5 * axes + 1.2 * shared, 0.3 * axes + 1.1 * shared + 0.5 * own]
    for fake in fakes:
        value = frechet_distance(fake=fake, real=real)
        rows.append((value, evened(value, without_each_group(fake=fake, real=real, groups=groups), groups)))
    (ours, ours_without), (theirs, theirs_without) = rows
    return difference(ours, ours_without, minus=theirs, minus_without_group=theirs_without)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", type=int, default=2000)
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--d", type=int, default=8)
    given = parser.parse_args()
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(0)
    found = [simulated(given.n, given.d, generator) for _ in range(given.sets)]
    expected = math.fsum(one.value for one in found) / len(found)
    covered = sum(one.ci_low <= expected <= one.ci_high for one in found) / len(found)
    error = math.sqrt(covered * (1 - covered) / len(found))
    print(f"n {given.n}, d {given.d}, {given.sets} sets: {covered:.1%} covered (standard error {error:.1%})")


if __name__ == "__main__":
    main()
