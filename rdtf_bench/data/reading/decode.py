"""Decode the pixels of animations on white, as tensors."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from rdtf_bench.core.dataset import Fit
from rdtf_bench.core.errors import DataError
from rdtf_bench.data.frames import equal_intervals, equal_times
from rdtf_bench.data.reading.folders.animations import Animation, Shape
from rdtf_bench.data.reading.images import stills
from rdtf_bench.data.reading.media import UNREADABLE, NoAnimation, Unreadable, reading, reason

Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]  # H W C


def decode_animation(clip: Animation, shape: Shape) -> UInt8[Tensor, "F C H W"]:
    """Decode a clip of any kind, resized as by `decode`; without a size it keeps its own."""
    numbers = equal_intervals(clip.num_frames, shape.num_frames)
    if clip.frames:
        return decode_pictures([clip.frames[number] for number in numbers], size_px=shape.size_px)
    if shape.frames_by == "time":
        numbers = numbers_by_time(clip.path, count=shape.num_frames)
    return decode(clip.path, size_px=shape.size_px, indices=numbers)


def numbers_by_time(path: Path, *, count: int) -> tuple[int, ...]:
    """Return the numbers of the frames that are shown at `count` equally spaced times. A video is decoded for it."""
    with reading(path) as source:
        durations = source.durations_us
    return equal_times(durations, count)


def decode_pictures(paths: Sequence[Path], *, size_px: int | None, fit: Fit = "stretch") -> UInt8[Tensor, "F C H W"]:
    """Decode one picture per frame, resized as by `decode`."""
    return _stacked([_resized(_still(path), size_px, fit) for path in paths])


def decode(
    path: Path, *, size_px: int | None, indices: Sequence[int], fit: Fit = "stretch"
) -> UInt8[Tensor, "F C H W"]:
    """Decode the frames `indices` in the order given.

    Indices may repeat. Transparent pixels become white. Frames are stretched to a square of `size_px` with Pillow's
    antialiased bicubic filter, whatever their aspect ratio, as the paper's released loader does
    (mails9523/mails9523.github.io@de717c7); with the fit "crop" the central square is taken first. Without a size they
    keep their own. Raises DataError for a file that cannot be decoded or has too few frames.
    """
    with reading(path) as source:
        pixels = {number: _resized(picture, size_px, fit) for number, picture in source.chosen(indices)}
    if missing := set(indices) - set(pixels):
        raise DataError(f"{path}: has no frame {min(missing)}, which was requested. Has the file changed?")
    return _stacked([pixels[number] for number in indices])


def pictures(path: Path, *, most: int) -> list[Image.Image]:
    """Read the frames of an animation, or of any image that Pillow reads, unresized and on white.

    All are read, or `most` of them at equal intervals. Raises DataError for a file that cannot be decoded.
    """
    with suppress(NoAnimation), reading(path) as source:
        if len(source.durations_us) > 1:
            available = len(source.durations_us)
            numbers = equal_intervals(available, min(most, available))
            return [picture.copy() for _, picture in source.chosen(numbers)]
    return [_still(path)]


def _still(path: Path) -> Image.Image:
    try:
        return stills.read(path)
    except UNREADABLE as fault:
        raise Unreadable(path, reason(fault)) from fault


def _resized(flat: Image.Image, size_px: int | None, fit: Fit) -> Pixels:
    if size_px is not None and fit == "crop":
        side = min(flat.size)
        left, top = (flat.width - side) // 2, (flat.height - side) // 2
        flat = flat.crop((left, top, left + side, top + side))
    if size_px is not None and flat.size != (size_px, size_px):
        flat = flat.resize((size_px, size_px), Image.Resampling.BICUBIC)
    return np.asarray(flat)


def _stacked(pixels: Sequence[Pixels]) -> UInt8[Tensor, "F C H W"]:
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous()
