"""Distortions of known strength, by which the toy FAST-VQA learns to rank the quality of clips.

HARM is the quality that a distortion at full strength takes from a clip. The values are our judgement and the same for
all clips.
"""

from collections.abc import Mapping

import torch
from jaxtyping import UInt8
from torch import Tensor

from rdtf_bench.metrics.trials.distortions import (
    Distortion,
    as_bytes,
    banding,
    block,
    blotches,
    blur,
    contrast,
    dropout,
    flicker,
    freeze,
    ghost,
    jitter,
    noise,
    warp,
)

DISTORTIONS: Mapping[str, Distortion] = {
    "blur": blur,
    "noise": noise,
    "block": block,
    "banding": banding,
    "contrast": contrast,
    "freeze": freeze,
    "jitter": jitter,
    "flicker": flicker,
    "ghost": ghost,
    "warp": warp,
    "blotches": blotches,
    "dropout": dropout,
}
HARM: Mapping[str, float] = {
    "blur": 0.9,
    "noise": 0.9,
    "block": 0.9,
    "banding": 0.6,
    "contrast": 0.7,
    "freeze": 0.3,
    "jitter": 0.7,
    "flicker": 0.7,
    "ghost": 0.7,
    "warp": 1.0,
    "blotches": 1.0,
    "dropout": 0.8,
}


def distorted(
    clip: UInt8[Tensor, "F C H W"], name: str, strength: float, generator: torch.Generator
) -> UInt8[Tensor, "F C H W"]:
    """Apply a distortion to a clip; `strength` is from 0 to 1."""
    return as_bytes(DISTORTIONS[name](clip.float(), strength, generator))


def quality(name: str, strength: float) -> float:
    """Return the remaining quality of a distorted clip; an undistorted clip has quality 1."""
    # even the weakest distortion is visible, so it lowers the quality
    return 1 - HARM[name] * (0.1 + 0.9 * strength)
