"""The guidance arithmetic against its formula, and which branches it saves."""

import pytest
import torch

from rdtf_bench.diffusion.guidance import combine, one_scale, stack, two_scales

SHAPE = (2, 4, 3, 5, 5)


def eps(seed: int) -> torch.Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed))


NONE, IMAGE, BOTH = eps(0), eps(1), eps(2)


def guided(image: float, text: float) -> torch.Tensor:
    branches = two_scales(image=image, text=text)
    outputs = {(False, False): NONE, (True, False): IMAGE, (True, True): BOTH}
    return combine(torch.cat([outputs[branch.image, branch.text] for branch in branches]), branches)


@pytest.mark.parametrize(("image", "text"), [(7.5, 7.5), (2.0, 5.0), (1.0, 1.0), (1.0, 3.0), (0.0, 2.0), (0.0, 0.0)])
def test_two_scales_follow_the_formula(image: float, text: float) -> None:
    expected = NONE + image * (IMAGE - NONE) + text * (BOTH - IMAGE)
    torch.testing.assert_close(guided(image, text), expected, rtol=1e-5, atol=1e-5)


def test_one_scale_follows_the_formula() -> None:
    branches = one_scale(text=9.0)
    assert all(branch.image for branch in branches)
    torch.testing.assert_close(combine(torch.cat([IMAGE, BOTH]), branches), IMAGE + 9 * (BOTH - IMAGE))


@pytest.mark.parametrize(
    ("image", "text", "computed"),
    [
        (7.5, 5.0, [(False, False), (True, False), (True, True)]),
        (7.5, 7.5, [(False, False), (True, True)]),
        (1.0, 3.0, [(True, False), (True, True)]),
        (1.0, 1.0, [(True, True)]),
    ],
)
def test_branches_without_weight_are_not_computed(image: float, text: float, computed: list[tuple[bool, bool]]) -> None:
    assert [(branch.image, branch.text) for branch in two_scales(image=image, text=text)] == computed


@pytest.mark.parametrize("branches", [two_scales(image=3.0, text=2.0), one_scale(text=4.0)])
def test_weights_sum_to_one(branches: tuple[object, ...]) -> None:
    assert sum(branch.weight for branch in branches) == pytest.approx(1)  # type: ignore[attr-defined]


def test_stack_goes_branch_by_branch() -> None:
    given, absent = torch.ones(2, 3), torch.zeros(2, 3)
    assert stack(given, absent, [False, True, True])[:, 0].tolist() == [0, 0, 1, 1, 1, 1]
