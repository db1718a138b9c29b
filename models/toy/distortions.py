"""Faults of clips that the toy FAST-VQA learns to order by how much they hurt.

HARM is how much of a clip's quality the full strength costs: our judgement, the same for all clips.
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
    return as_bytes(DISTORTIONS[name](clip.float(), strength, generator))


def quality(name: str, strength: float) -> float:
    """What is left of a clip's quality, 1 where nothing was done to it."""
    # the weakest fault is visible already, so that it is worse than none
    return 1 - HARM[name] * (0.1 + 0.9 * strength)
