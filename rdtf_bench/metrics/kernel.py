"""Kernel video distance: the unbiased maximum mean discrepancy of two sets of features (Binkowski et al. 2018).

The kernel is the polynomial (x . y / D + 1)^3 (arXiv:1801.01401, sec. 4). The expected value does not depend on the
number of clips and is 0 for equal distributions, so that a single value may be below 0. It complements a Frechet
distance of few clips. The kernel depends on a common shift of all features; do not compare values across networks.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from rdtf_bench.core.errors import DataError

DEGREE = 3
CLIPS_AT_ONCE = 1024
"""Number of rows of the kernel that are computed at once; all rows of 50,000 clips would take 20 GB."""


def kernel_distance(*, fake: Float[Tensor, "N D"], real: Float[Tensor, "M D"]) -> float:
    """Return the distance over all pairs of clips.

    Raises DataError for fewer than 2 clips, and for features that are NaN or infinite.
    """
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
    """Return the mean kernel of pairs of different clips; pairs of a clip with itself would bias the mean."""
    count, width = features.shape
    with_itself = (features.square().sum(1) / width + 1) ** DEGREE
    return (_sum_of_pairs(features, features) - float(with_itself.sum())) / (count * (count - 1))


def _kernel(a: Float[Tensor, "N D"], b: Float[Tensor, "M D"]) -> Float[Tensor, "N M"]:
    return (a @ b.T / a.shape[1] + 1) ** DEGREE
