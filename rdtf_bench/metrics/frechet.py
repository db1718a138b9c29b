"""Frechet distance between two sets of features (Heusel et al. 2017, arXiv:1706.08500, eq. 6); lower is better.

Covariances divide by n - ddof, where ddof is 1 unless a profile sets 0. Everything is float64. No matrix root is
formed: with A and B the centred features, tr((C_a C_b)^(1/2)) is the nuclear norm of A B^T / sqrt((n - 1)(m - 1)). This
is exact at any rank.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from rdtf_bench.core.errors import DataError
from rdtf_bench.core.seeds import generator_for

WELL_CONDITIONED = 1e-7
"""Smallest ratio of Cholesky pivots, and of roots of eigenvalues of the product, that still gives 9 digits of the
trace."""
NUM_SIZES = 8
"""Number of sample sizes between n / 2 and n to which FVD-infinity fits its line."""


def frechet_distance(*, fake: Float[Tensor, "N D"], real: Float[Tensor, "M _"], ddof: int = 1) -> float:
    """Return |mu_a - mu_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2)) of two feature matrices with one row per clip.

    The distance is never below 0. Raises DataError for fewer than 2 rows, for NaN or infinite features, and if the
    matrices differ in D.
    """
    fake, real = _checked(fake=fake, real=real)
    shift = (fake.mean(0) - real.mean(0)).square().sum()
    fake, real = fake - fake.mean(0), real - real.mean(0)
    num_fake, num_real = len(fake) - ddof, len(real) - ddof
    spread = fake.square().sum() / num_fake + real.square().sum() / num_real
    if min(len(fake), len(real)) <= fake.shape[1]:
        root = _nuclear_norm(fake @ real.T) / math.sqrt(num_fake * num_real)
    else:
        found = _root_by_cholesky(fake.T @ fake / num_fake, real.T @ real / num_real)
        if found is None:  # triangles R with R^T R = X^T X have the same nuclear norm, and are smaller
            ours, theirs = (torch.linalg.qr(side, mode="r").R for side in (fake, real))
            found = _nuclear_norm(ours @ theirs.T) / math.sqrt(num_fake * num_real)
        root = found
    return _distance(shift, spread, root)


def without_each_group(
    *, fake: Float[Tensor, "N D"], real: Float[Tensor, "M _"], groups: Sequence[int], ddof: int = 1
) -> tuple[float, ...]:
    """Return the distance without each group of clips, in the order of the group numbers.

    The clips of a group are left out of both sets. The products of the features are formed once; each group then costs
    one decomposition of their smaller side.
    """
    fake, real = _checked(fake=fake, real=real)
    if not len(fake) == len(real) == len(groups):
        raise DataError(f"{len(fake)} fake and {len(real)} real clips cannot share {len(groups)} group numbers")
    number = torch.tensor(groups)
    sides = _Products(fake, real, ddof)
    return tuple(sides.distance((number != group).nonzero().flatten()) for group in sorted(set(groups)))


def of_resamples(
    *, fake: Float[Tensor, "N D"], real: Float[Tensor, "M _"], resamples: Sequence[Int64[Tensor, " R"]], ddof: int = 1
) -> tuple[float, ...]:
    """Return the distance of each resample of the clips; both sides use the same indices.

    A resample with repeated clips behaves like a smaller set, so its distance lies above the plain one. Use the
    standard deviation of the values, not the values themselves.
    """
    fake, real = _checked(fake=fake, real=real)
    if len(fake) != len(real):
        raise DataError(f"{len(fake)} fake and {len(real)} real clips cannot be resampled together")
    sides = _Products(fake, real, ddof)
    return tuple(sides.distance(chosen) for chosen in resamples)


def frechet_infinity(*, fake: Float[Tensor, "N D"], real: Float[Tensor, "M _"], ddof: int = 1) -> float:
    """Return the distance extrapolated to infinitely many clips (Chong and Forsyth 2020, arXiv:1911.07023).

    A line in 1 / n is fitted to random subsets of n / 2 to n clips of both sets. The bias follows such a line only if n
    is well above the number of features; below 2 D clips DataError is raised. The result may be below 0.
    """
    fake, real = _checked(fake=fake, real=real)
    count, width = min(len(fake), len(real)), fake.shape[1]
    if count < 2 * width:
        raise DataError(
            f"FVD-infinity of {width} features needs at least {2 * width} clips on each side, there are {count}: give "
            "more clips, or report the distance at this n"
        )
    order = {name: torch.randperm(len(x), generator=generator_for("FVD-infinity", name, len(x))) for name, x in
             (("fake", fake), ("real", real))}  # fmt: skip
    sizes = torch.linspace(count / 2, count, NUM_SIZES).round().long().tolist()
    values = [
        frechet_distance(fake=fake[order["fake"][:size]], real=real[order["real"][:size]], ddof=ddof) for size in sizes
    ]
    line = torch.tensor([[1.0, 1 / size] for size in sizes], dtype=torch.float64)
    return float(torch.linalg.lstsq(line, torch.tensor(values, dtype=torch.float64)[:, None]).solution[0])


def split_half_distance(real: Float[Tensor, "N D"], *, count: int | None = None, ddof: int = 1) -> float:
    """Return the distance between two disjoint random sets of `count` real clips.

    This is what the distance of independent real clips amounts to at this n. It is no lower bound for clips that were
    generated from the first frames of the real ones. `count` should be the n of the distance that is compared with it;
    None takes the largest possible value, half of the clips.
    """
    count = len(real) // 2 if count is None else count
    if 2 * count > len(real):
        raise DataError(f"a distance between halves at n {count} needs {2 * count} real clips, there are {len(real)}")
    order = torch.randperm(len(real), generator=generator_for("noise floor", len(real)))
    return frechet_distance(fake=real[order[:count]], real=real[order[count : 2 * count]], ddof=ddof)


@dataclass(frozen=True, kw_only=True)
class Moments:
    """Count, mean and scatter of a set of features, for sets that are too large to keep."""

    count: int
    mean: Float[Tensor, " D"]
    scatter: Float[Tensor, "D D"]  # sum of outer products about the mean

    @classmethod
    def of(cls, features: Float[Tensor, "N D"]) -> "Moments":
        """Return the moments of a feature matrix."""
        features = features.double()
        mean = features.mean(0) if len(features) else features.new_zeros(features.shape[1])
        return cls(count=len(features), mean=mean, scatter=(features - mean).T @ (features - mean))

    def merged(self, other: "Moments") -> "Moments":
        """Return the moments of both sets together, without the cancellation of raw second moments.

        The update is that of Chan, Golub and LeVeque 1979.
        """
        count = self.count + other.count
        gap = other.mean - self.mean
        share = other.count / max(count, 1)
        return Moments(
            count=count,
            mean=self.mean + gap * share,
            scatter=self.scatter + other.scatter + gap.outer(gap) * (self.count * share),
        )


def frechet_of_moments(*, fake: Moments, real: Moments, ddof: int = 1) -> float:
    """Return the Frechet distance of two sets that are known by their moments alone."""
    for name, moments in (("fake", fake), ("real", real)):
        if moments.count < 2:
            raise DataError(f"{name}: a Frechet distance needs at least 2 clips, there is {moments.count}")
        if not bool(moments.scatter.isfinite().all()):
            raise DataError(f"{name}: there are features that are NaN or infinite")
    a, b = fake.scatter / (fake.count - ddof), real.scatter / (real.count - ddof)
    return _distance((fake.mean - real.mean).square().sum(), a.trace() + b.trace(), _trace_of_root(a, b))


class _Products:
    """Products of the centred features, from which the distance of any choice of clips follows.

    A clip that is chosen several times is one row with a weight; a resample of n clips has about 0.63 n rows.
    """

    def __init__(self, fake: Float[Tensor, "N D"], real: Float[Tensor, "N D"], ddof: int) -> None:
        self.ddof = ddof
        self.shift = fake.mean(0) - real.mean(0)
        self.fake, self.real = fake - fake.mean(0), real - real.mean(0)
        self.squares = self.fake.square().sum(1) + self.real.square().sum(1)

    @cached_property
    def cross(self) -> Float[Tensor, "N N"]:
        return self.fake @ self.real.T

    def distance(self, chosen: Int64[Tensor, " R"]) -> float:
        """Return the distance of the chosen clips; an index may come several times."""
        count, chosen = len(chosen), chosen.to(self.fake.device)
        if count < 2:
            raise DataError(f"a choice of {count} of {len(self.fake)} clips leaves too few; use more groups")
        rows, counted = torch.unique(chosen, return_counts=True)
        times = counted.double()
        fake_mean, real_mean = times @ self.fake[rows] / count, times @ self.real[rows] / count
        centre = fake_mean.square().sum() + real_mean.square().sum()
        spread = (times @ self.squares[rows] - count * centre) / (count - self.ddof)
        shift = (self.shift + fake_mean - real_mean).square().sum()
        return _distance(shift, spread, self._root(rows, times) / (count - self.ddof))

    def _root(self, rows: Int64[Tensor, " K"], times: Float[Tensor, " K"]) -> Float[Tensor, ""]:
        """Return the trace of the root of the product of both scatter matrices."""
        if len(rows) <= self.fake.shape[1]:
            cross, shares, scale = self.cross[rows][:, rows], times / times.sum(), times.sqrt()
            cross = cross - shares @ cross - (cross @ shares)[:, None] + shares @ cross @ shares
            return _nuclear_norm(scale[:, None] * cross * scale)
        fake, real = (torch.cov(side[rows].T, correction=0, aweights=times) for side in (self.fake, self.real))
        return _trace_of_root(fake, real) * times.sum()


def _nuclear_norm(cross: Float[Tensor, "N M"]) -> Float[Tensor, ""]:
    norm: Tensor = torch.linalg.svdvals(cross).sum()
    return norm


def _trace_of_root(a: Float[Tensor, "D D"], b: Float[Tensor, "D D"]) -> Float[Tensor, ""]:
    root = _root_by_cholesky(a, b)
    return _nuclear_norm(_half(a).T @ _half(b)) if root is None else root


def _root_by_cholesky(a: Float[Tensor, "D D"], b: Float[Tensor, "D D"]) -> Float[Tensor, ""] | None:
    """Return the trace of the root of the product, or None if one of the two does not have full rank."""
    factor, failed = torch.linalg.cholesky_ex(a)
    pivots = factor.diagonal().square()
    if failed or not bool(pivots.min() > WELL_CONDITIONED * pivots.max()):
        return None
    roots: Tensor = torch.linalg.eigvalsh(factor.T @ b @ factor).clamp(min=0).sqrt()
    return roots.sum() if bool(roots.min() > WELL_CONDITIONED * roots.max()) else None


def _half(covariance: Float[Tensor, "D D"]) -> Float[Tensor, "D D"]:
    """Return H with H H^T = covariance, at any rank."""
    eigenvalues, vectors = torch.linalg.eigh(covariance)
    half: Tensor = vectors * eigenvalues.clamp(min=0).sqrt()
    return half


def _distance(shift: Float[Tensor, ""], spread: Float[Tensor, ""], root: Float[Tensor, ""]) -> float:
    # rounding may make the sum slightly negative
    return max(0.0, float(shift + spread - 2 * root))


def _checked(
    *, fake: Float[Tensor, "N D"], real: Float[Tensor, "M _"]
) -> tuple[Float[Tensor, "N D"], Float[Tensor, "M D"]]:
    for name, features in (("fake", fake), ("real", real)):
        if features.ndim != 2 or len(features) < 2:
            shape = tuple(features.shape)
            raise DataError(
                f"{name}: a Frechet distance needs a matrix of at least 2 clips x features; this one is {shape}"
            )
        finite = features.isfinite().all(1)
        if not bool(finite.all()):
            raise DataError(f"{name}: the features of clip {int(finite.int().argmin())} are NaN or infinite")
    if fake.shape[1] != real.shape[1]:
        raise DataError(
            f"fake has {fake.shape[1]} features per clip and real has {real.shape[1]}: these are different networks"
        )
    return fake.double(), real.double()
