"""Decode the pixels of animations on white: images with Pillow, videos with PyAV."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from rdtf_bench.core.errors import DataError
from rdtf_bench.data.frames import equal_intervals
from rdtf_bench.data.reading.animations import VIDEO_SUFFIXES, Animation, Shape, open_video
from rdtf_bench.data.reading.inspection import UNREADABLE, first_frame

WHITE = (255, 255, 255, 255)
Pixels = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]  # H W C


def decode_animation(clip: Animation, shape: Shape) -> UInt8[Tensor, "F C H W"]:
    """Decode a clip of any kind, resized as by `decode`; without a size it keeps its own."""
    indices = equal_intervals(clip.num_frames, shape.num_frames)
    if clip.frames:
        pixels = [_still(clip.frames[number], shape.size_px) for number in indices]
    elif clip.path.suffix.lower() in VIDEO_SUFFIXES:
        pixels = _video_frames(clip, indices, shape.size_px)
    else:
        return decode(clip.path, size_px=shape.size_px, indices=indices)
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous()


def decode(
    path: Path, *, size_px: int | None, indices: Sequence[int] | None = None, most: int | None = None
) -> UInt8[Tensor, "F C H W"]:
    """Decode the frames `indices` in the order given, or all frames, or `most` of them at equal intervals.

    Indices may repeat. Transparent pixels become white. Frames are stretched to a square of `size_px` with Pillow's
    antialiased bicubic filter, whatever their aspect ratio, as the paper's released loader does
    (mails9523/mails9523.github.io@de717c7). Without a size they keep their own. Raises DataError for a file that cannot
    be decoded or has too few frames.
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
                    f"{path}: has {num_frames} frames, but frame {wanted[-1]} was requested. Has the file changed?"
                )
            pixels = {number: _frame(image, start + number, size_px) for number in wanted}
    except UNREADABLE as fault:
        raise DataError(f"{path}: cannot be decoded: {fault}") from fault
    return torch.from_numpy(np.stack([pixels[number] for number in indices])).permute(0, 3, 1, 2).contiguous()


def pictures(path: Path, *, most: int) -> list[Image.Image]:
    """Read the frames of any image that Pillow reads, unresized: all, or `most` of them at equal intervals.

    Raises DataError for a file that cannot be decoded.
    """
    frames = []
    try:
        with Image.open(path) as image:
            start = first_frame(image)
            num_frames = getattr(image, "n_frames", 1) - start
            for place in equal_intervals(num_frames, min(most, num_frames)):
                image.seek(start + place)
                frames.append(image.convert("RGBA"))
    except UNREADABLE as fault:
        raise DataError(f"{path}: cannot be read as an image: {fault}") from fault
    return frames


def _frame(image: Image.Image, number: int, size_px: int | None) -> Pixels:
    image.seek(number)  # the caller goes in ascending order, since going back would decode the file again
    return _on_white(image, size_px)


def _still(path: Path, size_px: int | None) -> Pixels:
    try:
        with Image.open(path) as image:
            return _on_white(image, size_px)
    except UNREADABLE as fault:
        raise DataError(f"{path}: cannot be decoded: {fault}") from fault


def _video_frames(clip: Animation, indices: Sequence[int], size_px: int | None) -> list[Pixels]:
    """Decode a video from its start; the clips are short, and seeking finds key frames only."""
    import av

    pixels = {}
    try:
        with open_video(clip.path) as container:
            for number, frame in enumerate(islice(container.decode(video=0), max(indices) + 1)):
                if number in indices:
                    pixels[number] = _resized(Image.fromarray(frame.to_ndarray(format="rgb24")), size_px)
    except av.FFmpegError as fault:
        raise DataError(f"{clip.path}: cannot be decoded: {fault}") from fault
    if missing := set(indices) - set(pixels):
        raise DataError(f"{clip.path}: frame {min(missing)} could not be decoded. Has the file changed?")
    return [pixels[number] for number in indices]


def _on_white(image: Image.Image, size_px: int | None) -> Pixels:
    drawn = image.convert("RGBA")  # per frame, because only the first frame of a GIF is always a palette image
    page = Image.new("RGBA", drawn.size, WHITE)
    page.alpha_composite(drawn)
    return _resized(page.convert("RGB"), size_px)


def _resized(flat: Image.Image, size_px: int | None) -> Pixels:
    if size_px is not None and flat.size != (size_px, size_px):
        flat = flat.resize((size_px, size_px), Image.Resampling.BICUBIC)
    return np.asarray(flat)
