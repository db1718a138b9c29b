"""Classifier-free guidance (Ho & Salimans 2022) as a weighted sum of branches that go through the network as one batch.

A branch sees the image condition or not and the text or not; its weight follows from the scales. Branches of weight 0
are left out, so equal scales cost two forwards instead of three, and scales of 1 cost one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

Latents = Float[Tensor, "B C F H W"]


@dataclass(frozen=True, kw_only=True)
class Branch:
    image: bool  # the known frames are given; otherwise none is
    text: bool  # the caption is given; otherwise the empty or the negative prompt
    weight: float


def two_scales(*, image: float, text: float) -> tuple[Branch, ...]:
    """e(none) + s_image (e(image) - e(none)) + s_text (e(image, text) - e(image)), Table 6's two scales.

    The order of conditions is that of InstructPix2Pix (Brooks et al. 2023, eq. 3).
    """
    return _without_idle(
        Branch(image=False, text=False, weight=1 - image),
        Branch(image=True, text=False, weight=image - text),
        Branch(image=True, text=True, weight=text),
    )


def one_scale(*, text: float) -> tuple[Branch, ...]:
    """The text alone is guided and both halves see the known frames, as I2VGen-XL and the authors' code do."""
    return _without_idle(Branch(image=True, text=False, weight=1 - text), Branch(image=True, text=True, weight=text))


def _without_idle(*branches: Branch) -> tuple[Branch, ...]:
    return tuple(branch for branch in branches if branch.weight != 0)


def stack(given: Tensor, absent: Tensor, choices: Sequence[bool]) -> Tensor:
    """One copy of the batch a branch, branch by branch: `given` where the choice is true."""
    return torch.cat([given if choice else absent for choice in choices])


def combine(outputs: Float[Tensor, "RB C F H W"], branches: Sequence[Branch]) -> Latents:
    """The guided output of R branches stacked by `stack`."""
    parts = outputs.chunk(len(branches))
    first, *others = (part * branch.weight for part, branch in zip(parts, branches, strict=True))
    return sum(others, start=first)
