"""Pixels of an animation: Pillow, on white, at the suite's size."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from rdtf_bench.core.errors import DataError
from rdtf_bench.data.frames import equal_intervals
from rdtf_bench.data.inspection import UNREADABLE, first_frame

WHITE = (255, 255, 255, 255)


def decode(
    path: Path, *, size_px: int, indices: Sequence[int] | None = None, most: int | None = None
) -> UInt8[Tensor, "F C H W"]:
    """Frames `indices` in the order given (repeats allowed), or all frames, or `most` of them at equal intervals.

    Transparent pixels become white; a frame is stretched to a square of `size_px` with Pillow's antialiased bicubic
    filter, its aspect ratio ignored, as the paper's released loader does (mails9523/mails9523.github.io@de717c7).
    Raises DataError for a file that cannot be decoded or has not so many frames.
    """
    try:
        with Image.open(path, formats=("GIF", "WEBP", "PNG")) as image:
            start = first_frame(image)
            num_frames = getattr(image, "n_frames", 1) - start
            if indices is None:
                count = num_frames if most is None else min(most, num_frames)
                indices = equal_intervals(num_frames, count)
            wanted = sorted(set(indices))
            if wanted and not 0 <= wanted[0] <= wanted[-1] < num_frames:
                raise DataError(
                    f"{path}: has {num_frames} frames, and frame {wanted[-1]} was asked for: has it changed?"
                )
            pixels = {number: _frame(image, start + number, size_px) for number in wanted}
    except UNREADABLE as fault:
        raise DataError(f"{path}: cannot be decoded: {fault}") from fault
    return torch.from_numpy(np.stack([pixels[number] for number in indices])).permute(0, 3, 1, 2).contiguous()


def _frame(image: Image.Image, number: int, size_px: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    image.seek(number)  # called in ascending order: going back would decode the file again
    drawn = image.convert("RGBA")  # per frame: a GIF's first frame is a palette image, the others need not be
    page = Image.new("RGBA", drawn.size, WHITE)
    page.alpha_composite(drawn)
    flat = page.convert("RGB")
    if flat.size != (size_px, size_px):
        flat = flat.resize((size_px, size_px), Image.Resampling.BICUBIC)
    return np.asarray(flat)
