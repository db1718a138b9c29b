"""Choose the frames of a clip from an animation: at equal intervals, extended by ping-pong, or by clustering."""

import warnings
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Literal

import torch
from jaxtyping import Float, Int
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

Representative = Literal["random", "first"]


def equal_intervals(num_frames: int, count: int) -> tuple[int, ...]:
    """Return `count` indices at equal intervals over a loop whose last frame is followed by the first.

    >>> equal_intervals(20, 8)
    (0, 2, 5, 7, 10, 12, 15, 17)
    """
    return tuple(i * num_frames // count for i in range(count))


def equal_times(durations: Sequence[int], count: int) -> tuple[int, ...]:
    """Return the indices of the frames that are shown at `count` equally spaced times, from the start of the loop.

    `durations` tells for how long each frame is shown. A frame may repeat or be left out.

    >>> equal_times((700, 100, 100, 100), 5)
    (0, 0, 0, 0, 2)
    """
    ends = list(accumulate(durations))
    # in integers: the end of a frame belongs to the next one
    return tuple(bisect_right(ends, i * ends[-1] // count) for i in range(count))


def ping_pong(num_frames: int, count: int) -> tuple[int, ...]:
    """Return `count` indices that run forwards and backwards, as the released code extends short clips.

    The frames at both ends are not repeated.

    >>> ping_pong(4, 8)
    (0, 1, 2, 3, 2, 1, 0, 1)
    >>> ping_pong(1, 3)
    (0, 0, 0)
    """
    period = max(2 * (num_frames - 1), 1)
    return tuple(min(i % period, period - i % period) if num_frames > 1 else 0 for i in range(count))


def whole_loop(num_frames: int, count: int) -> tuple[int, ...]:
    """Return `count` indices: at equal intervals if there are enough frames, else by ping-pong."""
    return equal_intervals(num_frames, count) if num_frames >= count else ping_pong(num_frames, count)


def rotated(features: Float[Tensor, "F D"]) -> Float[Tensor, "F R"]:
    """Return the centred features of a clip's frames, rotated into at most as many dimensions as there are frames.

    The distances between the frames, which are all that clustering uses, stay the same: X = R' Q' with orthonormal Q.
    Equal rows stay equal to the bit.
    """
    distinct, same_as = torch.unique(features.double(), dim=0, return_inverse=True)
    points = distinct - distinct.mean(0)
    if points.shape[1] > points.shape[0]:
        points = torch.linalg.qr(points.T, mode="r").R.T
    return points[same_as].to(features.dtype)


class ClusteredFrames:
    """The features of the frames of one animation, which can be clustered repeatedly (section 3.1).

    Clustering takes less time if they are `rotated` into few dimensions.
    """

    def __init__(self, features: Float[Tensor, "F D"]) -> None:
        self.num_frames = len(features)
        distinct, self._same_as = torch.unique(features, dim=0, return_inverse=True)
        self._num_distinct = len(distinct)
        self._points = features.double().numpy()

    def draw(self, k: int, generator: torch.Generator, *, representative: Representative = "random") -> tuple[int, ...]:
        """Return the index of one frame per cluster for k clusters, in the order of time.

        If there are at most k frames, all are returned. If fewer than k frames are distinct, further frames are drawn
        at random, so that the result has min(k, F) indices. `representative` selects the frame of a cluster; "first" is
        the choice of the released code.
        """
        if self.num_frames <= k:
            return tuple(range(self.num_frames))
        labels = self._labels(k, generator)
        chosen = []
        for label in sorted(set(labels.tolist())):
            members = (labels == label).nonzero().flatten()
            at = int(torch.randint(len(members), (1,), generator=generator)) if representative == "random" else 0
            chosen.append(int(members[at]))
        left = [frame for frame in range(self.num_frames) if frame not in chosen]
        order = torch.randperm(len(left), generator=generator).tolist()
        return tuple(sorted(chosen + [left[i] for i in order[: k - len(chosen)]]))

    def _labels(self, k: int, generator: torch.Generator) -> Int[Tensor, " F"]:
        if self._num_distinct <= k:
            return self._same_as
        seed = int(torch.randint(2**31, (1,), generator=generator))
        with warnings.catch_warnings():
            # rows that differ only in their last bits may leave clusters empty; `draw` then adds random frames
            warnings.simplefilter("ignore", ConvergenceWarning)
            found = KMeans(n_clusters=k, n_init=1, random_state=seed).fit(self._points)
        return torch.from_numpy(found.labels_)
