"""The control rows."""

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL

from rdtf_bench.baselines import controls
from rdtf_bench.diffusion.latents import decode, encode


@pytest.fixture(scope="module")
def autoencoder(assets: Mapping[str, Path]) -> AutoencoderKL:
    return AutoencoderKL.from_pretrained(assets["autoencoder"]).eval()


def test_the_clip_comes_back_as_the_autoencoder_has_it(autoencoder: AutoencoderKL) -> None:
    video = torch.rand(2, 3, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    made = controls.reconstruct(video, autoencoder)
    assert torch.equal(made, decode(autoencoder, encode(autoencoder, video)))
    assert not torch.equal(made[:, 0], made[:, 1])


def test_static_from_an_image_repeats_the_first_frame(autoencoder: AutoencoderKL) -> None:
    video = torch.rand(2, 5, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    known = torch.tensor([[1.0, 0, 0, 0, 0]] * 2)
    still = controls.static(video, known, autoencoder)
    assert still.shape == video.shape
    assert all(torch.equal(still[:, frame], still[:, 0]) for frame in range(5))
    # through the autoencoder with other frames or without: the last bits may differ
    torch.testing.assert_close(still[:, 0], controls.reconstruct(video, autoencoder)[:, 0], atol=1e-5, rtol=0)


def test_static_between_known_frames_repeats_the_nearest_the_earlier_of_two(autoencoder: AutoencoderKL) -> None:
    video = torch.rand(2, 5, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    still = controls.static(video, torch.tensor([[0.0, 1, 0, 1, 0], [1, 0, 0, 0, 1]]), autoencoder)
    frames = controls.reconstruct(video, autoencoder)
    for clip, places in enumerate(((1, 1, 1, 3, 3), (0, 0, 0, 4, 4))):
        assert torch.equal(still[clip], frames[clip, list(places)])
