"""A file of frames, whatever its format: what each reader offers."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from itertools import islice

from PIL import Image

MAX_PIXELS = 2**26  # of a frame, and a file may have 16 times as many; a larger one is taken for a decompression bomb
SHORTEST_US, INSTEAD_US = 10_000, 100_000  # browsers show a frame with a delay of at most 10 ms for 100 ms


class Source(ABC):
    """A file of frames. Its faults are raised as one of media.UNREADABLE."""

    size: tuple[int, int]
    """Width and height in pixels of each frame."""
    durations_us: tuple[int, ...]
    """For how long each frame is shown, in microseconds."""
    without_trailer: bool = False
    """Whether the file is a GIF whose only fault is that its last byte is missing."""

    @abstractmethod
    def frames(self) -> Iterator[Image.Image]:
        """Yield each frame as RGB on white. The next one may be drawn over it, so copy what you keep."""

    def window(self, first: int, count: int) -> Iterator[Image.Image]:
        """Yield `count` frames from number `first` on, exactly as `frames` does; fewer if the file ends before."""
        return islice(self.frames(), first, first + count)

    def check(self) -> None:
        """Decode every frame."""
        for _ in self.frames():
            pass


def require_bearable(size: tuple[int, int], num_frames: int) -> None:
    """Raise ValueError if the frames are so large that they may be a decompression bomb."""
    width, height = size
    if width * height > MAX_PIXELS or width * height * num_frames > 16 * MAX_PIXELS:
        raise ValueError(f"{num_frames} frames of {width}x{height} are more pixels than a clip can have")


def shown_us(delay_us: int) -> int:
    """Return for how long a browser shows a frame of an image that names this delay."""
    return INSTEAD_US if delay_us <= SHORTEST_US else delay_us
