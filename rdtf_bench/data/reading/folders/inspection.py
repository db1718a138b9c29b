"""Check that a file is a complete animation or video, by decoding all of it."""

from dataclasses import dataclass
from pathlib import Path

from rdtf_bench.core.store import sha256_of
from rdtf_bench.data.reading.folders import copies
from rdtf_bench.data.reading.media import Unreadable, reading

EVEN_US = 1_000  # containers round times to milliseconds


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What a file holds: one frame if it is a still image, none if it is broken."""

    sha256: str
    num_frames: int
    width_px: int = 0
    height_px: int = 0
    duration_us: int = 0  # of one loop
    is_uneven: bool = False  # whether its frames are shown for different times
    without_trailer: bool = False  # whether it is a GIF whose only fault is that its last byte is missing
    look: str = ""  # perceptual hash, by which near copies are found, if it was asked for
    why_broken: str | None = None


def inspect(path: Path, *, with_look: bool = False) -> Facts:
    """Read a whole file and return its facts, or the fault if it is broken."""
    try:
        sha256 = sha256_of(path)
    except OSError as fault:
        return Facts(sha256="", num_frames=0, why_broken=f"cannot be read: {fault.strerror}")
    try:
        with reading(path) as source:
            durations = source.durations_us
            if with_look:
                look = copies.look(source.decoded(), len(durations))
            else:
                look = ""
                source.check()
            width, height = source.size
            return Facts(
                sha256=sha256,
                num_frames=len(durations),
                width_px=width,
                height_px=height,
                duration_us=sum(durations),
                is_uneven=max(durations) - min(durations) > EVEN_US,
                without_trailer=source.without_trailer,
                look=look,
            )
    except Unreadable as fault:
        return Facts(sha256=sha256, num_frames=0, why_broken=fault.reason)
