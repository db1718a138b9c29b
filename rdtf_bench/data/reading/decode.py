"""Pixels of an animation, on white: images by Pillow, videos by PyAV."""

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
    """A clip of any kind, resized as by `decode`; without a size as it is."""
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
    """Frames `indices` in the order given (repeats allowed), or all frames, or `most` of them at equal intervals.

    Transparent pixels become white; a frame is stretched to a square of `size_px` with Pillow's antialiased bicubic
    filter, its aspect ratio ignored, as the paper's released loader does (mails9523/mails9523.github.io@de717c7).
    Without a size it stays as it is.
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


def pictures(path: Path, *, most: int) -> list[Image.Image]:
    """All frames as they are, or `most` of them at equal intervals where there are more; any image that Pillow reads.

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
    image.seek(number)  # called in ascending order: going back would decode the file again
    return _on_white(image, size_px)


def _still(path: Path, size_px: int | None) -> Pixels:
    try:
        with Image.open(path) as image:
            return _on_white(image, size_px)
    except UNREADABLE as fault:
        raise DataError(f"{path}: cannot be decoded: {fault}") from fault


def _video_frames(clip: Animation, indices: Sequence[int], size_px: int | None) -> list[Pixels]:
    """Decoded from the start: seeking in a video finds key frames only, and these are short."""
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
        raise DataError(f"{clip.path}: frame {min(missing)} could not be decoded: has the file changed?")
    return [pixels[number] for number in indices]


def _on_white(image: Image.Image, size_px: int | None) -> Pixels:
    drawn = image.convert("RGBA")  # per frame: a GIF's first frame is a palette image, the others need not be
    page = Image.new("RGBA", drawn.size, WHITE)
    page.alpha_composite(drawn)
    return _resized(page.convert("RGB"), size_px)


def _resized(flat: Image.Image, size_px: int | None) -> Pixels:
    if size_px is not None and flat.size != (size_px, size_px):
        flat = flat.resize((size_px, size_px), Image.Resampling.BICUBIC)
    return np.asarray(flat)
