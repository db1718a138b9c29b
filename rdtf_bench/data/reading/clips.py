"""Decode the frames of a clip for scoring and for training, whatever kind of clip it is."""

from collections.abc import Sequence

from jaxtyping import UInt8
from torch import Tensor

from rdtf_bench.core.dataset import Clip, Fit, FramesBy
from rdtf_bench.core.errors import DataError
from rdtf_bench.data.frames import equal_intervals
from rdtf_bench.data.reading.decode import decode, decode_pictures, numbers_by_time


def clip_frames(
    clip: Clip, *, num_frames: int, size_px: int, frames_by: FramesBy = "index", fit: Fit = "stretch"
) -> UInt8[Tensor, "F C H W"]:
    """Decode the frames that are scored, at equal intervals over the whole clip."""
    if frames_by == "index" and clip.num_frames < num_frames:
        raise DataError(f"{clip.path}: has {clip.num_frames} frames, and a clip that is scored needs {num_frames}")
    return _decode(clip, _numbers(clip, num_frames, frames_by), size_px, fit)


def all_frames(
    clip: Clip,
    *,
    most: int,
    size_px: int,
    frames_by: FramesBy = "index",
    fit: Fit = "stretch",
    only: Sequence[int] | None = None,
) -> UInt8[Tensor, "F C H W"]:
    """Decode the frames for training: as many as the clip has, or `most` if it has more, at equal intervals.

    `only` lists the places of the frames among them that are wanted; by default, all are.
    """
    numbers = _numbers(clip, min(most, clip.num_frames), frames_by)
    return _decode(clip, numbers if only is None else [numbers[place] for place in only], size_px, fit)


def keyframe_places(clip: Clip, *, most: int, frames_by: FramesBy = "index") -> tuple[int, ...]:
    """Return which of the frames of `all_frames` are nearest to the key frames of a clip, in ascending order."""
    if not clip.keyframes:
        return ()
    numbers = _numbers(clip, min(most, clip.num_frames), frames_by)
    nearest = (min(range(len(numbers)), key=lambda place: abs(numbers[place] - key)) for key in clip.keyframes)
    return tuple(sorted(set(nearest)))


def _numbers(clip: Clip, count: int, frames_by: FramesBy) -> Sequence[int]:
    """Return the numbers of the chosen frames. The frames of windows and pictures follow at the rate of a camera."""
    if frames_by == "time" and clip.window is None and not clip.frames:
        return numbers_by_time(clip.path, count=count)
    return equal_intervals(clip.num_frames, count)


def _decode(clip: Clip, numbers: Sequence[int], size_px: int, fit: Fit) -> UInt8[Tensor, "F C H W"]:
    if clip.frames:
        return decode_pictures([clip.frames[number] for number in numbers], size_px=size_px, fit=fit)
    first = clip.window[0] if clip.window else 0
    return decode(clip.path, size_px=size_px, fit=fit, indices=[first + number for number in numbers])
