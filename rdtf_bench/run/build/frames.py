"""Frames between a table and a pipeline of diffusers: the picture given, and the frames that it makes."""

from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from rdtf_bench.core.errors import InputError
from rdtf_bench.core.video import to_uint8
from rdtf_bench.data.frames import equal_intervals

Resize = Literal["stretch", "pad"]
WHITE = (255, 255, 255)  # as transparent pixels of the given frame are


def picture(frame: Float[Tensor, "C H W"], height: int, width: int, resize: Resize) -> Image.Image:
    """Return the given square frame, with values in [-1, 1], as a picture of height x width."""
    pixels = to_uint8(frame[None, None])[0, 0].movedim(0, -1).cpu().numpy()
    square = Image.fromarray(pixels)
    if resize == "stretch":
        return square if square.size == (width, height) else square.resize((width, height), Image.Resampling.BICUBIC)
    side = min(height, width)
    padded = Image.new("RGB", (width, height), WHITE)
    padded.paste(square.resize((side, side), Image.Resampling.BICUBIC), ((width - side) // 2, (height - side) // 2))
    return padded


def made(output: object, label: str) -> Float[Tensor, "F C H W"]:
    """Return the first video of a pipeline's output, with values in [0, 1]: pictures, an array or a tensor.

    Raises InputError, which names the row by its label, for anything else.
    """
    first = output[0] if isinstance(output, list | np.ndarray | Tensor) and len(output) else output
    if isinstance(first, list) and first and isinstance(first[0], Image.Image):
        first = np.stack([np.asarray(one.convert("RGB")) for one in first]).astype(np.float32) / 255
    if isinstance(first, np.ndarray) and first.ndim == 4 and first.shape[-1] == 3:
        return torch.from_numpy(first).float().movedim(-1, 1)
    if isinstance(first, Tensor) and first.ndim == 4 and first.shape[1] == 3:
        return first.detach().float().cpu()
    raise InputError(
        f"{label}: the pipeline returned frames of the type {type(output).__name__}, which are no pictures, no array "
        "B F H W C and no tensor B F C H W. Make its clips yourself and add them as a row: --with NAME=DIR"
    )


def places(num_made: int, count: int, rule: Literal["spread", "first"]) -> tuple[int, ...]:
    """Return which frames are taken; the given frame is the first one, and it is always among them.

    >>> places(25, 8, "spread"), places(25, 8, "first")
    ((0, 3, 6, 9, 12, 15, 18, 21), (0, 1, 2, 3, 4, 5, 6, 7))
    """
    return equal_intervals(num_made, count) if rule == "spread" else tuple(range(count))


def squared(video: Float[Tensor, "F C H W"], size_px: int, resize: Resize) -> Float[Tensor, "F C S S"]:
    """Return frames as squares of S = `size_px`, resized with an antialiased bicubic filter, with values in [0, 1]."""
    height, width = video.shape[-2:]
    if resize == "pad":
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        video = video[..., top : top + side, left : left + side]
    if video.shape[-2:] == (size_px, size_px):
        return video
    resized = torch.nn.functional.interpolate(video, (size_px, size_px), mode="bicubic", antialias=True)
    return resized.clamp(0, 1)
