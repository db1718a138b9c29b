"""CPU seconds of all statistics of a table of four methods from features: jackknife intervals, paired and
Holm-corrected tests, and on request bootstrap deviations of the differences.

    OMP_NUM_THREADS=1 python tests/benchmarks/table_statistics.py [--n 128] [--d 960] [--resamples 1000]
"""

import argparse
import time

import torch

from rdtf_bench.core.intervals import difference, estimate, holm
from rdtf_bench.core.metric import NUM_GROUPS
from rdtf_bench.core.seeds import generator_for
from rdtf_bench.metrics.frechet import frechet_distance, of_resamples, without_each_group
from rdtf_bench.metrics.statistics import bootstrap_deviation, evened, groups, resamples

METHODS = 4


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--n", type=int, default=128)
    parser.add_argument("--d", type=int, default=960)
    parser.add_argument("--resamples", type=int, default=0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    ids = [f"clip/{i}" for i in range(given.n)]
    shape = (METHODS + 1, given.n, given.d)
    real, *fakes = torch.randn(shape, generator=generator_for("table statistics"), dtype=torch.float64)
    numbers = groups(ids, ids, NUM_GROUPS)

    began = time.process_time()
    rows = []
    for fake in fakes:
        value = frechet_distance(fake=fake, real=real)
        rows.append((value, evened(value, without_each_group(fake=fake, real=real, groups=numbers), numbers)))
    intervals = [estimate(*row) for row in rows]
    (best, best_without), *others = sorted(rows)
    pairs = [difference(value, left, minus=best, minus_without_group=best_without) for value, left in others]
    tests = holm([pair.p for pair in pairs])
    print(f"n {given.n}, d {given.d}: {len(intervals)} intervals and {len(tests)} tests in "
          f"{time.process_time() - began:.1f} CPU seconds")  # fmt: skip

    if given.resamples:
        began = time.process_time()
        drawn = resamples(ids, given.resamples)
        values = [of_resamples(fake=fake, real=real, resamples=drawn) for fake in fakes]
        spreads = [bootstrap_deviation([a - b for a, b in zip(values[0], row, strict=True)]) for row in values[1:]]
        print(
            f"{given.resamples} resamples, {len(spreads)} deviations in {time.process_time() - began:.1f} CPU seconds"
        )


if __name__ == "__main__":
    main()
