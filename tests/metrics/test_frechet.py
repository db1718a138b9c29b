import pytest
import torch
from jaxtyping import Float
from scipy.linalg import sqrtm
from torch import Tensor
from torchmetrics.image.fid import _compute_fid

from rdtf_bench.core.errors import DataError
from rdtf_bench.metrics.frechet import (
    Moments,
    frechet_distance,
    frechet_infinity,
    frechet_of_moments,
    split_half_distance,
    without_each_group,
)


def draw(n: int, d: int, seed: int, *, mean: float = 0, scale: float = 1) -> Float[Tensor, "N D"]:
    generator = torch.Generator().manual_seed(seed)
    axes = scale * torch.arange(1, d + 1, dtype=torch.float64) ** -0.5
    return mean + axes * torch.randn(n, d, generator=generator, dtype=torch.float64)


def by_scipy(a: Float[Tensor, "N D"], b: Float[Tensor, "M D"]) -> float:
    cov_a, cov_b = torch.cov(a.T).numpy(), torch.cov(b.T).numpy()
    shift = float((a.mean(0) - b.mean(0)).square().sum())
    return shift + float((cov_a + cov_b - 2 * sqrtm(cov_a @ cov_b).real).trace())


def test_two_points_a_side_by_hand() -> None:
    # variances 2 and 8, means 1 and 12 apart: 121 + (sqrt 2 - sqrt 8)^2 = 123
    fake, real = torch.tensor([[0.0], [2.0]]), torch.tensor([[10.0], [14.0]])
    assert frechet_distance(fake=fake, real=real) == pytest.approx(123, rel=1e-14)


def test_orthogonal_spreads_do_not_overlap() -> None:
    # covariances diag(2, 0) and diag(0, 2): the root of their product is 0, so the distance is 2 + 2
    fake, real = torch.tensor([[-1.0, 0], [1, 0]]), torch.tensor([[0.0, -1], [0, 1]])
    assert frechet_distance(fake=fake, real=real) == pytest.approx(4, rel=1e-14)


@pytest.mark.parametrize(("n", "m", "d"), [(90, 70, 8), (40, 300, 8), (30, 200, 64), (200, 30, 64)])
def test_agrees_with_the_scatter_of_gaussian_features(n: int, m: int, d: int) -> None:
    # truth at any rank: features b = a T with T symmetric positive definite have tr root = tr(T C_a)
    a = draw(n, d, 0)
    mix = torch.randn(d, d, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    mix = mix @ mix.T / d + torch.eye(d, dtype=torch.float64)
    cov = torch.cov(a.T)
    truth = (a.mean(0) - a.mean(0) @ mix).square().sum() + (cov + mix @ cov @ mix - 2 * mix @ cov).trace()
    assert frechet_distance(fake=a, real=a @ mix) == pytest.approx(float(truth), rel=1e-9)
    other = draw(m, d, 1, mean=0.2, scale=1.3)
    assert frechet_distance(fake=a, real=other) == pytest.approx(frechet_distance(fake=other, real=a), rel=1e-10)


@pytest.mark.parametrize(("n", "m", "d"), [(120, 90, 16), (300, 280, 64)])
def test_agrees_with_scipy_and_torchmetrics_at_full_rank(n: int, m: int, d: int) -> None:
    a, b = draw(n, d, 2), draw(m, d, 3, mean=0.3, scale=1.5)
    found = frechet_distance(fake=a, real=b)
    assert found == pytest.approx(by_scipy(a, b), rel=1e-9)
    moments = _compute_fid(a.mean(0), torch.cov(a.T), b.mean(0), torch.cov(b.T))
    assert found == pytest.approx(float(moments), rel=1e-9)


@pytest.mark.parametrize(("n", "d", "kept"), [(50, 16, 16), (20, 64, 64), (50, 16, 9), (300, 40, 3)])
def test_identical_sets_are_at_zero_at_any_rank(n: int, d: int, kept: int) -> None:
    features = draw(n, d, 4)
    features[:, kept:] = 0  # features that are never on: a singular covariance even with n > d
    assert frechet_distance(fake=features, real=features.clone()) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(("n", "d", "kept"), [(200, 64, 60), (900, 320, 40)])
def test_a_side_without_full_rank_gives_the_same_from_both_sides(n: int, d: int, kept: int) -> None:
    full, flat = draw(n, d, 5), draw(n, d, 6)
    flat = flat[:, :kept] @ draw(kept, d, 7)
    assert frechet_distance(fake=full, real=flat) == pytest.approx(frechet_distance(fake=flat, real=full), rel=1e-10)


@pytest.mark.parametrize("dead", [2, 10])
def test_dead_features_change_nothing(dead: int) -> None:
    # more clips than features, so this is the covariance path with its Cholesky factor refused
    a, b = draw(100, 20, 5), draw(90, 20, 6, mean=0.1)
    alive = frechet_distance(fake=a, real=b)
    padded = [torch.cat([x, x[:, :dead]], dim=1) / 2**0.5 for x in (a[:, :dead], b[:, :dead])]
    assert frechet_distance(fake=padded[0], real=padded[1]) == pytest.approx(
        frechet_distance(fake=a[:, :dead], real=b[:, :dead]), rel=1e-9
    )
    zeros = [torch.cat([x, torch.zeros(len(x), dead)], dim=1) for x in (a, b)]
    assert frechet_distance(fake=zeros[0], real=zeros[1]) == pytest.approx(alive, rel=1e-9)


def test_a_large_common_mean_costs_no_digits() -> None:
    a, b = draw(60, 8, 7), draw(50, 8, 8, mean=0.5)
    # 1e5 in float64 leaves 11 digits of features of size 1
    assert frechet_distance(fake=a + 1e5, real=b + 1e5) == pytest.approx(frechet_distance(fake=a, real=b), rel=1e-8)


@pytest.mark.parametrize("d", [4, 400])
def test_inputs_are_left_alone_and_a_second_call_agrees(d: int) -> None:
    a, b = draw(30, d, 9).float(), draw(25, d, 10, mean=1).float()
    before = a.clone(), b.clone()
    first = frechet_distance(fake=a, real=b)
    assert frechet_distance(fake=a, real=b) == first
    assert torch.equal(a, before[0])
    assert torch.equal(b, before[1])


def test_the_order_of_clips_does_not_matter() -> None:
    a, b = draw(30, 40, 11), draw(30, 40, 12)
    assert frechet_distance(fake=a.flip(0), real=b) == pytest.approx(frechet_distance(fake=a, real=b), rel=1e-12)


@pytest.mark.parametrize(("n", "d"), [(24, 60), (60, 8)])
def test_leaving_out_groups_is_the_distance_of_what_is_left(n: int, d: int) -> None:
    a, b = draw(n, d, 13, mean=0.3), draw(n, d, 14)
    groups = [(i * 7) % 5 for i in range(n)]
    found = without_each_group(fake=a, real=b, groups=groups)
    for group, distance in enumerate(found):
        kept = torch.tensor(groups) != group
        assert distance == pytest.approx(frechet_distance(fake=a[kept], real=b[kept]), rel=1e-10)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_features_that_are_not_numbers_are_refused(bad: float) -> None:
    fake = draw(10, 4, 15)
    fake[3, 2] = bad
    with pytest.raises(DataError, match="fake: the features of clip 3 are NaN or infinite"):
        frechet_distance(fake=fake, real=draw(10, 4, 16))
    with pytest.raises(DataError, match=r"real: .* clip 3"):
        without_each_group(fake=draw(10, 4, 16), real=fake, groups=list(range(10)))


def test_one_clip_has_no_covariance() -> None:
    with pytest.raises(DataError, match=r"real: .* at least 2 clips"):
        frechet_distance(fake=draw(5, 4, 17), real=draw(1, 4, 18))


def test_features_of_two_networks_are_refused() -> None:
    with pytest.raises(DataError, match="4 features per clip and real has 5"):
        frechet_distance(fake=draw(9, 4, 19), real=draw(9, 5, 20))


def test_a_group_that_is_nearly_everything_is_refused() -> None:
    with pytest.raises(DataError, match="leaves too few"):
        without_each_group(fake=draw(4, 3, 21), real=draw(4, 3, 22), groups=[0, 0, 0, 1])


def test_each_group_costs_one_decomposition_of_clips_and_not_of_features(monkeypatch: pytest.MonkeyPatch) -> None:
    # forming covariances of 960 features and their roots for 50 groups would take over 30 s
    shapes = []
    svdvals = torch.linalg.svdvals

    def recorded(matrix: Tensor) -> Tensor:
        shapes.append(tuple(matrix.shape))
        return svdvals(matrix)

    monkeypatch.setattr(torch.linalg, "svdvals", recorded)
    for refused in ("eigh", "eigvalsh", "qr"):
        monkeypatch.delattr(torch.linalg, refused)
    without_each_group(fake=draw(30, 200, 23), real=draw(30, 200, 24), groups=[i % 10 for i in range(30)])
    assert shapes == [(27, 27)] * 10


@pytest.mark.parametrize(("n", "d"), [(24, 60), (60, 8)])
def test_groups_are_left_out_under_either_covariance(n: int, d: int) -> None:
    a, b = draw(n, d, 13, mean=0.3), draw(n, d, 14)
    groups = [i % 6 for i in range(n)]
    kept = torch.tensor(groups) != 2
    alone = frechet_distance(fake=a[kept], real=b[kept], ddof=0)
    assert without_each_group(fake=a, real=b, groups=groups, ddof=0)[2] == pytest.approx(alone, rel=1e-10)


# ---- moments


@pytest.mark.parametrize("offset", [0.0, 1e5])
def test_merged_moments_are_those_of_the_whole(offset: float) -> None:
    a, b = draw(300, 12, 30, mean=0.4) + offset, draw(200, 12, 31) + offset
    merged = Moments.of(a[:1]).merged(Moments.of(a[1:40])).merged(Moments.of(a[40:40])).merged(Moments.of(a[40:]))
    assert merged.count == 300
    found = frechet_of_moments(fake=merged, real=Moments.of(b))
    # 1e5 in float64 leaves 11 digits of features of size 1
    assert found == pytest.approx(frechet_distance(fake=a, real=b), rel=1e-9 if offset == 0 else 1e-7)


def test_moments_of_too_few_or_broken_features_are_refused() -> None:
    good, bad = Moments.of(draw(9, 3, 32)), draw(9, 3, 33)
    bad[2, 1] = float("inf")
    with pytest.raises(DataError, match=r"real: .* at least 2 clips, there is 1"):
        frechet_of_moments(fake=good, real=Moments.of(draw(1, 3, 34)))
    with pytest.raises(DataError, match="fake: there are features that are NaN"):
        frechet_of_moments(fake=Moments.of(bad), real=good)


# ---- infinitely many clips, and the floor


def test_infinity_takes_the_bias_off() -> None:
    d, n = 16, 160
    pairs = [(draw(n, d, 40 + i), draw(n, d, 140 + i)) for i in range(30)]
    plain = [frechet_distance(fake=a, real=b) for a, b in pairs]
    extrapolated = [frechet_infinity(fake=a, real=b) for a, b in pairs]
    # equal distributions: the truth is 0, and the plain distance is its bias alone
    mean_plain, mean_extrapolated = sum(plain) / 30, sum(extrapolated) / 30
    assert min(plain) > 0
    assert abs(mean_extrapolated) < 0.2 * mean_plain


def test_infinity_is_refused_below_twice_the_features() -> None:
    with pytest.raises(DataError, match="at least 32 clips on each side, there are 31"):
        frechet_infinity(fake=draw(31, 16, 41), real=draw(500, 16, 42))
    assert frechet_infinity(fake=draw(32, 16, 41), real=draw(500, 16, 42)) < frechet_distance(
        fake=draw(32, 16, 41), real=draw(500, 16, 42)
    )


def test_a_split_half_distance_is_that_of_two_halves_of_the_real_set() -> None:
    real = draw(80, 6, 43)
    halves = split_half_distance(real)
    assert halves == split_half_distance(real, count=40)
    assert 0 < halves < split_half_distance(real, count=10)  # fewer clips, more bias
    with pytest.raises(DataError, match="n 50 needs 100 real clips, there are 80"):
        split_half_distance(real, count=50)
