"""Control rows, the yardstick of every method: what the autoencoder alone makes of a still and of the true clip."""

from diffusers import AutoencoderKL
from jaxtyping import Float
from torch import Tensor

from rdtf_bench.core.video import Video
from rdtf_bench.diffusion.latents import decode, encode

VERSION = 1


def static(first_frames: Float[Tensor, "B C H W"], num_frames: int, autoencoder: AutoencoderKL) -> Video:
    """The first frame through the autoencoder, repeated: a method that does not move gets this."""
    return reconstruct(first_frames[:, None], autoencoder).repeat(1, num_frames, 1, 1, 1)


def reconstruct(video: Video, autoencoder: AutoencoderKL) -> Video:
    """The true clip through the autoencoder: no method on its latents can do better."""
    return decode(autoencoder, encode(autoencoder, video))
