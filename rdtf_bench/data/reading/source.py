"""A file of frames, whatever its format: what each reader offers."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from itertools import islice

from PIL import Image

MAX_PIXELS = 2**26  # of a frame, and a file may have 16 times as many; a larger one is taken for a decompression bomb
Draw = Callable[[], Image.Image]
SHORTEST_US, INSTEAD_US = 10_000, 100_000  # browsers show a frame with a delay of at most 10 ms for 100 ms


class Source(ABC):
    """A file of frames. Its faults are raised as one of media.UNREADABLE."""

    size: tuple[int, int]
    """Width and height in pixels of each frame."""
    durations_us: tuple[int, ...]
    """Time for which each frame is shown, in microseconds."""
    without_trailer: bool = False
    """Whether the file is a GIF whose only fault is that its last byte is missing."""

    @abstractmethod
    def decoded(self) -> Iterator[Draw]:
        """Decode each frame and yield a function that draws it as RGB on white.

        Call it before the next frame is decoded, and only for frames that are needed: drawing can take as long as
        decoding. The next frame may be drawn over the picture, so copy what you keep.
        """

    def decoded_from(self, first: int) -> Iterator[Draw]:
        """Decode the frames from number `first` on, exactly as `decoded` does."""
        return islice(self.decoded(), first, None)

    def chosen(self, numbers: Collection[int]) -> Iterator[tuple[int, Image.Image]]:
        """Yield these frames in ascending order with their numbers, and decode no further than the last one."""
        first = min(numbers)
        for number, draw in enumerate(islice(self.decoded_from(first), max(numbers) - first + 1), first):
            if number in numbers:
                yield number, draw()

    def check(self) -> None:
        """Decode every frame."""
        for _ in self.decoded():
            pass


def require_bearable(size: tuple[int, int], num_frames: int) -> None:
    """Raise ValueError if the frames are so large that they may be a decompression bomb."""
    width, height = size
    if width * height > MAX_PIXELS or width * height * num_frames > 16 * MAX_PIXELS:
        raise ValueError(f"{num_frames} frames of {width}x{height} are more pixels than a clip can have")


def shown_us(delay_us: int) -> int:
    """Return for how long a browser shows a frame of an image that names this delay."""
    return INSTEAD_US if delay_us <= SHORTEST_US else delay_us
