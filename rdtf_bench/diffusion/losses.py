"""The masked loss: padding frames of a clip do not count (sec. "Dual-mask based data utilization")."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor


def masked_error(
    output: Float[Tensor, "B C F H W"], target: Float[Tensor, "B C F H W"], counted: Float[Tensor, "B F"]
) -> Float[Tensor, ""]:
    """Return the sum of the squared errors over the frames where `counted` is 1."""
    frames = counted[:, None, :, None, None]
    return ((output - target).square() * frames).sum()


def counted_elements(
    target: Float[Tensor, "B C F H W"],
    counted: Float[Tensor, "B F"],
    *,
    mean_over: Literal["counted", "all"] = "counted",
) -> float:
    """Return the number that a sum of squared errors is divided by.

    `mean_over="counted"` takes the number of counted elements. `mean_over="all"` takes the number of all elements, as
    the authors' code does: it multiplies both sides by the mask and takes a plain mean. This shrinks the loss and the
    gradient of a clip with k of F frames by k / F.
    """
    if mean_over == "all":
        return float(target.numel())
    elements_per_frame = target[0, :, 0].numel()
    return float(counted.sum()) * elements_per_frame
