"""What of a sticker a training step sees."""

from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL
from jaxtyping import Float, UInt8
from torch import Tensor

from rdtf_bench.core.method import TrainingClips
from rdtf_bench.core.video import to_unit
from rdtf_bench.data.frames import Representative
from rdtf_bench.diffusion.latents import encode
from rdtf_bench.models.rdtf.curriculum import Case
from rdtf_bench.models.rdtf.dual_mask import (
    Extraction,
    MaskedClips,
    Padding,
    PosteriorSamples,
    masked_clips,
)

GREY = torch.full((2, 3, 3), -7.0)


class Stickers:
    """Every latent holds its frame's number; frames look alike in groups of three."""

    ids = ("short", "long")
    captions = ("a", "b")

    def latents(self, index: int) -> Float[Tensor, "F C H W"]:
        count = (2, 12)[index]
        return torch.arange(count, dtype=torch.float32)[:, None, None, None].expand(count, 2, 3, 3)

    def features(self, index: int) -> Float[Tensor, "F D"]:
        count = (2, 12)[index]
        return torch.nn.functional.one_hot(torch.arange(count) // 3, 4).float() + 0.001 * torch.arange(count)[:, None]

    def frames(self, index: int) -> UInt8[Tensor, "F C H W"]:
        pytest.fail(f"the frames of sticker {index} were read: latents and features are enough")


def extracted(
    index: int, count: int, *, clustering: bool = True, representative: Representative = "random"
) -> list[int]:
    extraction = Extraction(Stickers(), clustering=clustering, representative=representative)
    return list(extraction.frames(index, count, torch.Generator().manual_seed(0)))


def masked(cases: list[Case], *, padding: Padding = "grey") -> MaskedClips:
    return masked_clips(
        Stickers(),
        [1] * len(cases),
        cases,
        torch.Generator().manual_seed(0),
        num_frames=8,
        extraction=Extraction(Stickers(), clustering=True, representative="first"),
        padding=padding,
        grey=GREY,
    )


def test_clustering_takes_one_frame_a_group_in_order() -> None:
    assert extracted(1, 4, representative="first") == [0, 3, 6, 9]
    assert [frame // 3 for frame in extracted(1, 4)] == [0, 1, 2, 3]


def test_without_data_utilization_frames_are_at_equal_intervals() -> None:
    assert extracted(1, 8, clustering=False) == [0, 1, 3, 4, 6, 7, 9, 10]


@pytest.mark.parametrize("clustering", [True, False])
def test_a_shorter_sticker_goes_back_and_forth(clustering: bool) -> None:
    assert extracted(0, 5, clustering=clustering) == [0, 1, 0, 1, 0]


def test_the_first_k_frames_count_and_the_rest_is_padding() -> None:
    clips = masked([Case(task="it2v", known=(0, 1, 0)), Case(task="t2v", known=(0,) * 8)])
    assert clips.counted.tolist() == [[1] * 3 + [0] * 5, [1] * 8]
    assert clips.known.tolist() == [[0, 1] + [0] * 6, [0] * 8]
    assert (clips.latents[0, 3:] == GREY).all()
    assert (clips.latents[0, :3] >= 0).all()


def test_padding_may_repeat_the_last_frame() -> None:
    clips = masked([Case(task="it2v", known=(0, 1, 0))], padding="last")
    assert len(set(clips.latents[0, 2:, 0, 0, 0].tolist())) == 1


class Pictures(Stickers):
    def frames(self, index: int) -> UInt8[Tensor, "F C H W"]:
        generator = torch.Generator().manual_seed(index)
        return torch.randint(256, (2, 3, 16, 16), generator=generator).to(torch.uint8)


def test_latents_of_the_posterior_are_its_mode_and_noise_from_the_generator(assets: dict[str, Path]) -> None:
    autoencoder = AutoencoderKL.from_pretrained(assets["autoencoder"]).eval()
    mode = encode(autoencoder, to_unit(Pictures().frames(0)[None]))[0]

    def drawn(seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return PosteriorSamples(Pictures(), autoencoder, generator).latents(0)

    assert isinstance(PosteriorSamples(Pictures(), autoencoder, torch.Generator()), TrainingClips)
    torch.testing.assert_close(drawn(0), drawn(0), rtol=0, atol=0)
    differences = torch.stack([drawn(seed) - mode for seed in range(64)])
    assert differences[0].abs().max() > 0
    samples = PosteriorSamples(Pictures(), autoencoder, torch.Generator().manual_seed(0)).latents_of(0, (1, 0, 1))
    assert torch.equal(samples[0], samples[2])
    torch.testing.assert_close(samples[[1, 0]], drawn(0), rtol=0, atol=0)
    # the mean of 64 draws lies within five standard errors of the mode
    assert (differences.mean(0).abs() <= 5 * differences.std(0) / 8).all()
