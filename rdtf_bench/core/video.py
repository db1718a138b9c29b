"""The one layout and the two value ranges used inside rdtf_bench."""

from jaxtyping import Float, UInt8
from torch import Tensor

Video = Float[Tensor, "B F C H W"]  # values in [-1, 1]
VideoU8 = UInt8[Tensor, "B F C H W"]  # values in 0..255, what is stored and what metrics read


def to_uint8(video: Video) -> VideoU8:
    # round: truncation is off by one for 63 of the 256 levels; clamp: the cast wraps -0.02 to 251
    return ((video + 1) * 127.5).round().clamp(0, 255).byte()


def to_unit(video: VideoU8) -> Video:
    return video.float() / 127.5 - 1
