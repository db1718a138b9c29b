"""Between pixels and latents: dtypes, and how many frames go through the decoder at once."""

import pytest
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from rdtf_bench.diffusion import latents as latent_space


@pytest.fixture
def autoencoder() -> AutoencoderKL:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        return AutoencoderKL(block_out_channels=(4,), norm_num_groups=2, latent_channels=4, sample_size=8).eval()


def clips(*, size: int) -> Tensor:
    return torch.rand(3, 8, 4, size, size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("size", "passes"), [(8, [24]), (31, [24]), (32, [16, 8])])
def test_large_frames_are_decoded_in_parts(
    autoencoder: AutoencoderKL, monkeypatch: pytest.MonkeyPatch, size: int, passes: list[int]
) -> None:
    latents, decoded = clips(size=size), []
    with torch.no_grad():
        expected = autoencoder.decode(latents.flatten(0, 1) / autoencoder.config.scaling_factor).sample.clamp(-1, 1)
    own = autoencoder.decode

    def noted(part: Tensor) -> object:
        decoded.append(len(part))
        return own(part)

    monkeypatch.setattr(autoencoder, "decode", noted)
    made = latent_space.decode(autoencoder, latents)
    assert decoded == passes
    assert made.shape == (3, 8, 3, size, size)
    # the order of a convolution's sums may depend on how many frames it sees
    tolerance = 0.0 if len(passes) == 1 else 1e-5
    torch.testing.assert_close(made.flatten(0, 1), expected, rtol=0, atol=tolerance)


def test_an_autoencoder_of_another_dtype_takes_and_gives_the_videos(autoencoder: AutoencoderKL) -> None:
    half, video = autoencoder.to(torch.bfloat16), clips(size=8)[:, :, :3] * 2 - 1
    assert half.dtype == torch.bfloat16
    latents = latent_space.encode(half, video)
    assert latents.dtype == video.dtype == torch.float32
    assert latent_space.decode(half, latents).dtype == torch.float32
