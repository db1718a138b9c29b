"""Kernel video distance: the unbiased maximum mean discrepancy of two sets of features (Binkowski et al. 2018).

Polynomial kernel (x . y / D + 1)^3, arXiv:1801.01401, sec. 4. Its expected value does not depend on the number of
clips and is 0 for equal distributions, so that a value may be below 0; it is the companion of a Frechet distance where
clips are few. The kernel does not forget a common shift of all features: never compare it across networks.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from rdtf_bench.core.errors import DataError

DEGREE = 3
CLIPS_AT_ONCE = 1024
"""Rows of the kernel: all of 50,000 clips would be 20 GB."""


def kernel_distance(*, fake: Float[Tensor, "N D"], real: Float[Tensor, "M D"]) -> float:
    """Over all pairs of clips; DataError for fewer than 2 clips and for features that are NaN or infinite."""
    fake, real = _checked("fake", fake), _checked("real", real)
    across = _sum_of_pairs(fake, real) / (len(fake) * len(real))
    return _mean_of_others(fake) + _mean_of_others(real) - 2 * across


def _checked(name: str, features: Float[Tensor, "N D"]) -> Float[Tensor, "N D"]:
    if len(features) < 2:
        raise DataError(f"{name}: a kernel distance needs at least 2 clips, there is {len(features)}")
    finite = features.isfinite().all(1)
    if not bool(finite.all()):
        raise DataError(f"{name}: the features of clip {int(finite.int().argmin())} are NaN or infinite")
    return features.double()


def _sum_of_pairs(a: Float[Tensor, "N D"], b: Float[Tensor, "M D"]) -> float:
    return math.fsum(float(_kernel(part, b).sum()) for part in torch.split(a, CLIPS_AT_ONCE))


def _mean_of_others(features: Float[Tensor, "N D"]) -> float:
    """Of different clips: a clip with itself is what makes the plain mean biased."""
    count, width = features.shape
    with_itself = (features.square().sum(1) / width + 1) ** DEGREE
    return (_sum_of_pairs(features, features) - float(with_itself.sum())) / (count * (count - 1))


def _kernel(a: Float[Tensor, "N D"], b: Float[Tensor, "M D"]) -> Float[Tensor, "N M"]:
    return (a @ b.T / a.shape[1] + 1) ** DEGREE
