"""CPU seconds of the Frechet distance and of scipy.linalg.sqrtm on the same features, one thread, one process.

OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 python tests/benchmarks/frechet_speed.py
"""

import time
from collections.abc import Callable

import torch
from jaxtyping import Float
from scipy.linalg import sqrtm
from torch import Tensor

from rdtf_bench.core.seeds import generator_for
from rdtf_bench.metrics import frechet_distance

CASES = ((500, 400), (500, 2048))
REPEATS = 3


def features(n: int, d: int, name: str) -> Float[Tensor, "N D"]:
    drawn = torch.randn(n, d, generator=generator_for("benchmark", name, n, d), dtype=torch.float64)
    return drawn * torch.arange(1, d + 1, dtype=torch.float64) ** -0.5


def by_sqrtm(fake: Float[Tensor, "N D"], real: Float[Tensor, "M D"]) -> float:
    a, b = torch.cov(fake.T).numpy(), torch.cov(real.T).numpy()
    shift = float((fake.mean(0) - real.mean(0)).square().sum())
    return shift + float((a + b - 2 * sqrtm(a @ b).real).trace())


def best_s(run: Callable[[], float], repeats: int) -> tuple[float, float]:
    taken = []
    for _ in range(repeats):
        began = time.process_time()
        value = run()
        taken.append(time.process_time() - began)
    return min(taken), value


def main() -> None:
    torch.set_num_threads(1)
    for n, d in CASES:
        fake, real = features(n, d, "fake"), features(n, d, "real")
        ours, value = best_s(lambda: frechet_distance(fake=fake, real=real), REPEATS)  # noqa: B023
        theirs, expected = best_s(lambda: by_sqrtm(fake, real), 1 if d > 1000 else REPEATS)  # noqa: B023
        print(
            f"n {n}, d {d}: {ours * 1e3:.1f} ms, sqrtm {theirs * 1e3:.1f} ms, {theirs / ours:.1f} times; "
            f"{value:.9f} and {expected:.9f}"
        )


if __name__ == "__main__":
    main()
