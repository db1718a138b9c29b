import pytest
import torch
from jaxtyping import UInt8
from torch import Tensor

from rdtf_bench.models.toy.distortions import DISTORTIONS, HARM, distorted, quality


def sticker(seed: int = 0) -> UInt8[Tensor, "F C H W"]:
    """A dark square that moves over white, with soft shading."""
    generator = torch.Generator().manual_seed(seed)
    clip = torch.full((8, 3, 64, 64), 255, dtype=torch.uint8)
    shade = torch.randint(20, 200, (3, 1, 1), dtype=torch.uint8, generator=generator)
    ramp = torch.arange(24, dtype=torch.uint8).view(1, 1, 24)
    for i in range(8):
        clip[i, :, 10 + 3 * i : 34 + 3 * i, 20:44] = shade + ramp
    return clip


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("name", list(DISTORTIONS))
def test_a_fault_grows_with_its_strength(name: str) -> None:
    clip = sticker()
    errors = [
        (distorted(clip, name, strength, generator()).float() - clip.float()).square().mean().item()
        for strength in (0.0, 0.5, 1.0)
    ]
    assert 0 < errors[0] < errors[1] < errors[2]


@pytest.mark.parametrize("name", list(DISTORTIONS))
def test_a_fault_is_decided_by_its_generator(name: str) -> None:
    clip = sticker()
    assert torch.equal(distorted(clip, name, 0.7, generator(3)), distorted(clip, name, 0.7, generator(3)))


@pytest.mark.parametrize("name", ["noise", "jitter", "flicker", "warp", "blotches", "dropout"])
def test_chance_has_a_part(name: str) -> None:
    clip = sticker()
    assert not torch.equal(distorted(clip, name, 0.7, generator(3)), distorted(clip, name, 0.7, generator(4)))


def test_a_frozen_clip_at_full_strength_is_one_frame() -> None:
    frozen = distorted(sticker(), "freeze", 1.0, generator())
    assert torch.equal(frozen, frozen[:1].expand_as(frozen))


def test_banding_leaves_two_levels_at_full_strength() -> None:
    assert set(distorted(sticker(), "banding", 1.0, generator()).flatten().tolist()) == {0, 255}


def test_dropout_loses_between_one_and_six_frames() -> None:
    clip = sticker()
    for strength, lost in ((0.0, 1), (1.0, 6)):
        changed = (distorted(clip, "dropout", strength, generator()) != clip).flatten(1).any(1)
        assert int(changed.sum()) == lost


def test_quality_falls_from_just_below_one_by_the_harm() -> None:
    assert HARM.keys() == DISTORTIONS.keys()
    assert quality("warp", 0.0) == pytest.approx(0.9)
    assert quality("warp", 1.0) == pytest.approx(0.0)
    assert quality("freeze", 1.0) == pytest.approx(0.7)
