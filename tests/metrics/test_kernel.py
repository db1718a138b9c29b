import pytest
import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics.image.kid import poly_mmd

from rdtf_bench.core.errors import DataError
from rdtf_bench.metrics import kernel
from rdtf_bench.metrics.kernel import kernel_distance


def draw(n: int, d: int, seed: int, *, mean: float = 0) -> Float[Tensor, "N D"]:
    return mean + torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_one_feature_by_hand() -> None:
    # kernel (xy + 1)^3: fake 0, 1: pair 1; real 1, 2: pair 27; across 1 1 8 27, mean 9.25
    fake, real = torch.tensor([[0.0], [1.0]]), torch.tensor([[1.0], [2.0]])
    assert kernel_distance(fake=fake, real=real) == pytest.approx(1 + 27 - 18.5, rel=1e-14)


def test_agrees_with_torchmetrics() -> None:
    fake, real = draw(40, 12, 0), draw(40, 12, 1, mean=0.3)
    assert kernel_distance(fake=fake, real=real) == pytest.approx(float(poly_mmd(fake, real)), rel=1e-12)


def test_equal_distributions_are_at_zero_whatever_the_number_of_clips() -> None:
    for n in (8, 60):
        values = torch.tensor([kernel_distance(fake=draw(n, 6, i), real=draw(n, 6, 1000 + i)) for i in range(100)])
        assert abs(float(values.mean())) < 3 * float(values.std()) / 10  # three standard errors of 100 draws


def test_sets_of_different_sizes_and_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    fake, real = draw(20, 5, 2, mean=0.5), draw(33, 5, 3)
    found = kernel_distance(fake=fake, real=real)
    assert kernel_distance(fake=real, real=fake) == pytest.approx(found, rel=1e-12)
    assert kernel_distance(fake=fake.flip(0), real=real) == pytest.approx(found, rel=1e-12)
    monkeypatch.setattr(kernel, "CLIPS_AT_ONCE", 7)
    assert kernel_distance(fake=fake, real=real) == pytest.approx(found, rel=1e-12)


def test_too_few_and_broken_features_are_refused() -> None:
    bad = draw(4, 3, 6)
    bad[2, 0] = float("nan")
    with pytest.raises(DataError, match="fake: the features of clip 2"):
        kernel_distance(fake=bad, real=draw(4, 3, 7))
    with pytest.raises(DataError, match=r"real: .* at least 2 clips, there is 1"):
        kernel_distance(fake=draw(4, 3, 6), real=draw(1, 3, 7))
