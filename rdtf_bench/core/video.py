"""The layout of a video (B F C H W) and the two value ranges that rdtf_bench uses."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from rdtf_bench.core.errors import DataError, SamplingError

Video = Float[Tensor, "B F C H W"]  # values in [-1, 1]
VideoU8 = UInt8[Tensor, "B F C H W"]  # values in 0..255: stored samples and the input of metrics


def to_uint8(video: Video) -> VideoU8:
    """Quantise values in [-1, 1] to bytes. No other function of the package quantises; `RDTFPipeline` leaves it to
    diffusers.

    Raises SamplingError for values that are not finite.
    """
    require_finite(video)
    # round: truncation is off by one for 63 of the 256 levels; clamp: the cast wraps -0.02 to 251
    return ((video + 1) * 127.5).round().clamp(0, 255).byte()


def require_finite(video: Video) -> None:
    """Raise SamplingError for values that are not finite, which would become black pixels and still give a score."""
    finite = video.flatten(1).isfinite().all(1)
    if not bool(finite.all()):
        raise SamplingError(
            f"{int((~finite).sum())} of {len(finite)} clips have values that are not finite numbers. Either the "
            "training diverged (look at its losses, and reduce the learning rate), or the sampler fails here."
        )


def to_unit(video: VideoU8) -> Video:
    """Scale bytes to [-1, 1]."""
    return video.float() / 127.5 - 1


def require_clips(video: Tensor) -> None:
    """Raise DataError unless the clips are VideoU8.

    Values in [0, 1] would otherwise be read as black frames and still give a score.
    """
    if video.dtype is not torch.uint8 or video.ndim != 5 or video.shape[2] != 3:
        raise DataError(
            f"clips must be uint8 in 0..255 with the axes B F C H W and 3 channels; these are {video.dtype} of shape "
            f"{tuple(video.shape)}. rdtf_bench.core.video.to_uint8 converts values in [-1, 1]."
        )
