"""What a dataset module and a protocol must agree on."""

from typing import Literal

FramesBy = Literal["index", "time"]
"""Whether frames are chosen at equal intervals of their numbers, as the paper's released loader does, or of time."""
