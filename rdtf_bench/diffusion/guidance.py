"""Classifier-free guidance (Ho and Salimans 2022) as a weighted sum of branches, which form one batch.

Each branch has or lacks the image condition and the text condition; its weight follows from the guidance scales.
Branches of weight 0 are left out, so that equal scales cost two forward passes instead of three, and scales of 1 cost
one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

Latents = Float[Tensor, "B C F H W"]


@dataclass(frozen=True, kw_only=True)
class Branch:
    """One forward pass: its conditions, and its weight in the guided output."""

    image: bool  # whether the known frames are given
    text: bool  # whether the caption is given, in place of the empty or negative prompt
    weight: float


def two_scales(*, image: float, text: float) -> tuple[Branch, ...]:
    """Return the branches of guidance with one scale for the image and one for the text (Table 6).

    The guided output is e(none) + s_image (e(image) - e(none)) + s_text (e(image, text) - e(image)), with the order of
    conditions of InstructPix2Pix (Brooks et al. 2023, eq. 3).
    """
    return _without_idle(
        Branch(image=False, text=False, weight=1 - image),
        Branch(image=True, text=False, weight=image - text),
        Branch(image=True, text=True, weight=text),
    )


def one_scale(*, text: float) -> tuple[Branch, ...]:
    """Return the branches of guidance by the text alone, as in I2VGen-XL and the authors' code.

    Both branches see the known frames.
    """
    return _without_idle(Branch(image=True, text=False, weight=1 - text), Branch(image=True, text=True, weight=text))


def _without_idle(*branches: Branch) -> tuple[Branch, ...]:
    return tuple(branch for branch in branches if branch.weight != 0)


def stack(given: Tensor, absent: Tensor, choices: Sequence[bool]) -> Tensor:
    """Concatenate one copy of the batch per branch: `given` where the branch's choice is true, else `absent`."""
    return torch.cat([given if choice else absent for choice in choices])


def combine(outputs: Float[Tensor, "RB C F H W"], branches: Sequence[Branch]) -> Latents:
    """Return the guided output from the outputs of R branches, in the order of `stack`."""
    parts = outputs.chunk(len(branches))
    first, *others = (part * branch.weight for part, branch in zip(parts, branches, strict=True))
    return sum(others, start=first)
