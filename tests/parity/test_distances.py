"""Frechet and kernel distance against other programs, on features of full and of deficient rank."""

import pytest
from jaxtyping import Float64
from torch import Tensor

from rdtf_bench.metrics.frechet import frechet_distance
from rdtf_bench.metrics.kernel import kernel_distance
from tests.parity import recipe
from tests.parity.reference import load

CASES = sorted(load("frechet").facts["cases"])
WITH_KERNEL = [name for name in CASES if "torch_fidelity_kid" in load("frechet").facts["cases"][name]]


def features(name: str, side: str) -> Float64[Tensor, "N D"]:
    case = load("frechet").facts["cases"][name]
    made = recipe.features(*case[side])
    assert recipe.digest(made) == case[f"{side}_digest"]
    return made


def expected(name: str, by: str) -> float:
    return float(load("frechet").facts["cases"][name][by])


@pytest.mark.parametrize("name", CASES)
def test_the_distance_is_exact_at_any_rank(name: str) -> None:
    found = frechet_distance(fake=features(name, "fake"), real=features(name, "real"))
    # 1e-9: every correct float64 method agrees to that at full rank, and only the exact ones below it
    assert found == pytest.approx(expected(name, "nuclear_norm_reference"), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("name", CASES)
def test_dividing_by_n_is_what_other_programs_do(name: str) -> None:
    found = frechet_distance(fake=features(name, "fake"), real=features(name, "real"), ddof=0)
    # theirs goes through a root of a singular product, which is good to 7e-7 of the covariance term only
    assert found == pytest.approx(expected(name, "cdfvd_biased_cov"), rel=2e-6, abs=1e-9)


@pytest.mark.parametrize("name", WITH_KERNEL)
def test_the_kernel_distance_is_that_of_torch_fidelity(name: str) -> None:
    found = kernel_distance(fake=features(name, "fake"), real=features(name, "real"))
    # a difference of sums near 2: their float64 leaves about 15 digits of those
    assert found == pytest.approx(expected(name, "torch_fidelity_kid"), rel=1e-9, abs=1e-12)
