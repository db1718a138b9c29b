"""Condition masks, which define the tasks of the benchmark (Table 7).

A mask is a tuple with one entry per frame of the clip: 1 where the frame is known, 0 where it is generated. Table 7
prints examples at 8 frames and ends each family with an ellipsis; the complete families follow the authors' training
code (mails9523/mails9523.github.io@de717c7).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from rdtf_bench.core.errors import UnknownNameError

Mask = tuple[int, ...]


def _alternate(num_frames: int, *, first: int, stride: int) -> Mask:
    return tuple(int(frame >= first and (frame - first) % stride == 0) for frame in range(num_frames))


def _known_from(num_frames: int, start: int) -> Mask:
    return (0,) * start + (1,) * (num_frames - start)


def _known_until(num_frames: int, stop: int) -> Mask:
    return (1,) * stop + (0,) * (num_frames - stop)


def _distinct_and_partial(masks: list[Mask]) -> tuple[Mask, ...]:
    """Return each mask once, without those that give all frames or none, as happens for short clips."""
    return tuple(mask for mask in dict.fromkeys(masks) if 0 < sum(mask) < len(mask))


def interpolation_masks(num_frames: int) -> tuple[Mask, ...]:
    """Return the masks that give every second frame, from the first or the second one, or every third (Table 7).

    >>> interpolation_masks(4)
    ((0, 1, 0, 1), (1, 0, 1, 0), (1, 0, 0, 1))
    """
    offsets = ((1, 2), (0, 2), (0, 3))
    return _distinct_and_partial([_alternate(num_frames, first=first, stride=stride) for first, stride in offsets])


def post_prediction_masks(num_frames: int) -> tuple[Mask, ...]:
    """Return the masks that give the first half of the frames or more; the frames after them are predicted."""
    return _distinct_and_partial([_known_until(num_frames, stop) for stop in range(num_frames // 2, num_frames)])


def pre_prediction_masks(num_frames: int) -> tuple[Mask, ...]:
    """Return the masks that give all frames from one of the early ones on; the frames before it are predicted."""
    starts = range(1, num_frames // 2 + 2)
    return _distinct_and_partial([_known_from(num_frames, start) for start in starts if start < num_frames])


def prediction_masks(num_frames: int) -> tuple[Mask, ...]:
    """Return the masks of prediction in both directions."""
    return post_prediction_masks(num_frames) + pre_prediction_masks(num_frames)


def one_frame_masks(num_frames: int) -> tuple[Mask, ...]:
    """Return the masks that give a single frame."""
    return tuple(tuple(int(frame == known) for frame in range(num_frames)) for known in range(num_frames))


def no_frame_masks(num_frames: int) -> tuple[Mask, ...]:
    """Return the mask that gives no frame."""
    return ((0,) * num_frames,)


def _first_frame(num_frames: int) -> tuple[Mask, ...]:
    return one_frame_masks(num_frames)[:1]


def _printed_prediction(num_frames: int) -> tuple[Mask, ...]:
    """Return the two prediction masks of Table 7: at 8 frames [1 1 1 1 1 0 0 0] and [0 0 1 1 1 1 1 1]."""
    stop, start = round(num_frames * 5 / 8), max(1, round(num_frames * 2 / 8))
    return _distinct_and_partial([_known_until(num_frames, stop), _known_from(num_frames, start)])


@dataclass(frozen=True, kw_only=True)
class Task:
    """A task, and its masks as functions of the number of frames.

    `evaluated` returns the masks of the test, `trained` those of the whole family.
    """

    family: str  # "interpolation", "prediction" or "generation" (sec. "Difficulty-adaptive curriculum learning")
    uses_text: bool
    evaluated: Callable[[int], tuple[Mask, ...]]
    trained: Callable[[int], tuple[Mask, ...]]

    def mask_of(self, place: int, num_frames: int) -> Mask:
        """Return the mask of one test clip: those of the test take turns over the sorted clips."""
        masks = self.evaluated(num_frames)
        return masks[place % len(masks)]


TASKS: dict[str, Task] = {
    "it2v": Task(family="generation", uses_text=True, evaluated=_first_frame, trained=one_frame_masks),
    "i2v": Task(family="generation", uses_text=False, evaluated=_first_frame, trained=one_frame_masks),
    "t2v": Task(family="generation", uses_text=True, evaluated=no_frame_masks, trained=no_frame_masks),
    "interpolation": Task(
        family="interpolation", uses_text=True, evaluated=interpolation_masks, trained=interpolation_masks
    ),
    "prediction": Task(family="prediction", uses_text=True, evaluated=_printed_prediction, trained=prediction_masks),
}
FAMILIES = ("interpolation", "prediction", "generation")


def task_named(name: str) -> Task:
    """Return the task of that name; raise UnknownNameError if there is none."""
    if name not in TASKS:
        raise UnknownNameError(f"task: there is no task {name!r}. There are: {', '.join(TASKS)}")
    return TASKS[name]


def draw_known(
    masks: tuple[Mask, ...], *, batch_size: int, generator: torch.Generator
) -> Float[Tensor, "batch_size num_frames"]:
    """Draw one mask per clip, uniformly from the list."""
    if not masks:
        raise ValueError("there is no mask to draw from: the task has no mask for this number of frames")
    places = torch.randint(len(masks), (batch_size,), generator=generator)
    return torch.tensor(masks, dtype=torch.float32)[places]
