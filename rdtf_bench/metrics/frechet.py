"""Frechet distance between two sets of features (Heusel et al. 2017, arXiv:1706.08500, eq. 6); lower is better.

Covariances divide by n - 1, everything is float64, and the trace of the root never forms a root: with A and B the
centred features, tr((C_a C_b)^(1/2)) is the nuclear norm of A B^T / sqrt((n - 1)(m - 1)), exact at any rank.
"""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rdtf_bench.core.errors import DataError

WELL_CONDITIONED = 1e-7
"""Smallest ratio of Cholesky pivots at which eigenvalues of the product still have 9 digits of the trace."""


def frechet_distance(*, fake: Float[Tensor, "N D"], real: Float[Tensor, "M _"]) -> float:
    """|mu_a - mu_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)) of feature matrices, one row a clip; at least 0.

    Raises DataError for fewer than 2 rows, for NaN or infinite features, and where the sets differ in D.
    """
    fake, real = _checked(fake=fake, real=real)
    shift = (fake.mean(0) - real.mean(0)).square().sum()
    fake, real = fake - fake.mean(0), real - real.mean(0)
    spread = fake.square().sum() / (len(fake) - 1) + real.square().sum() / (len(real) - 1)
    if min(len(fake), len(real)) <= fake.shape[1]:
        root = _nuclear_norm(fake @ real.T, len(fake), len(real))
    else:
        root = _trace_of_root(fake.T @ fake / (len(fake) - 1), real.T @ real / (len(real) - 1))
    return _distance(shift, spread, root)


def without_each_group(
    *, fake: Float[Tensor, "N D"], real: Float[Tensor, "M _"], groups: Sequence[int]
) -> tuple[float, ...]:
    """The distance with the clips of each group left out of both sets, in the order of the groups' numbers.

    The products of the features are formed once; each group then costs one decomposition of their smaller side.
    """
    fake, real = _checked(fake=fake, real=real)
    if not len(fake) == len(real) == len(groups):
        raise DataError(f"{len(fake)} fake and {len(real)} real clips cannot share {len(groups)} group numbers")
    number = torch.tensor(groups)
    sides = _Products(fake, real)
    return tuple(sides.distance(number != group) for group in sorted(set(groups)))


class _Products:
    """Products of the features centred once, from which any subset of the clips is evaluated."""

    def __init__(self, fake: Float[Tensor, "N D"], real: Float[Tensor, "N D"]) -> None:
        self.shift = fake.mean(0) - real.mean(0)
        self.fake, self.real = fake - fake.mean(0), real - real.mean(0)
        self.squares = self.fake.square().sum(1) + self.real.square().sum(1)
        self.dual = len(fake) <= fake.shape[1]
        self.cross = self.fake @ self.real.T if self.dual else None

    def distance(self, keep: Bool[Tensor, " N"]) -> float:
        count = int(keep.sum())
        if count < 2:
            raise DataError(f"a group of {len(keep) - count} of {len(keep)} clips leaves too few; use more groups")
        fake_mean, real_mean = self.fake[keep].mean(0), self.real[keep].mean(0)
        centre = fake_mean.square().sum() + real_mean.square().sum()
        spread = (self.squares[keep].sum() - count * centre) / (count - 1)
        shift = (self.shift + fake_mean - real_mean).square().sum()
        return _distance(shift, spread, self._root(keep, count))

    def _root(self, keep: Bool[Tensor, " N"], count: int) -> Float[Tensor, ""]:
        if self.cross is not None:
            cross = self.cross[keep][:, keep]
            cross = cross - cross.mean(0) - cross.mean(1, keepdim=True) + cross.mean()
            return _nuclear_norm(cross, count, count)
        return _trace_of_root(torch.cov(self.fake[keep].T), torch.cov(self.real[keep].T))


def _nuclear_norm(cross: Float[Tensor, "N M"], num_fake: int, num_real: int) -> Float[Tensor, ""]:
    norm: Tensor = torch.linalg.svdvals(cross).sum()
    return norm / math.sqrt((num_fake - 1) * (num_real - 1))


def _trace_of_root(a: Float[Tensor, "D D"], b: Float[Tensor, "D D"]) -> Float[Tensor, ""]:
    factor, failed = torch.linalg.cholesky_ex(a)
    pivots = factor.diagonal().square()
    if not failed and bool(pivots.min() > WELL_CONDITIONED * pivots.max()):
        eigenvalues: Tensor = torch.linalg.eigvalsh(factor.T @ b @ factor)
        return eigenvalues.clamp(min=0).sqrt().sum()
    singular_values: Tensor = torch.linalg.svdvals(_half(a).T @ _half(b))
    return singular_values.sum()


def _half(covariance: Float[Tensor, "D D"]) -> Float[Tensor, "D D"]:
    """H with H H^T = covariance, at any rank."""
    eigenvalues, vectors = torch.linalg.eigh(covariance)
    half: Tensor = vectors * eigenvalues.clamp(min=0).sqrt()
    return half


def _distance(shift: Float[Tensor, ""], spread: Float[Tensor, ""], root: Float[Tensor, ""]) -> float:
    # the last digits of the sum may fall below 0, which no distance does
    return max(0.0, float(shift + spread - 2 * root))


def _checked(
    *, fake: Float[Tensor, "N D"], real: Float[Tensor, "M _"]
) -> tuple[Float[Tensor, "N D"], Float[Tensor, "M D"]]:
    for name, features in (("fake", fake), ("real", real)):
        if features.ndim != 2 or len(features) < 2:
            shape = tuple(features.shape)
            raise DataError(
                f"{name}: a Frechet distance needs a matrix of at least 2 clips x features, this is {shape}"
            )
        finite = features.isfinite().all(1)
        if not bool(finite.all()):
            raise DataError(f"{name}: the features of clip {int(finite.int().argmin())} are NaN or infinite")
    if fake.shape[1] != real.shape[1]:
        raise DataError(f"fake has {fake.shape[1]} features a clip and real {real.shape[1]}: not the same network")
    return fake.double(), real.double()
