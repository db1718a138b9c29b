"""The masked loss: padding frames of a clip do not count (sec. "Dual-mask based data utilization")."""

from typing import Literal

from jaxtyping import Float
from torch import Tensor


def masked_mse(
    output: Float[Tensor, "B C F H W"],
    target: Float[Tensor, "B C F H W"],
    counted: Float[Tensor, "B F"],
    *,
    mean_over: Literal["counted", "all"] = "counted",
) -> Float[Tensor, ""]:
    """Return the mean squared error over the frames where `counted` is 1.

    `mean_over="counted"` divides by the number of counted elements. `mean_over="all"` divides by the number of all
    elements, as the authors' code does: it multiplies both sides by the mask and takes a plain mean. This shrinks the
    loss and the gradient of a clip with k of F frames by k / F.
    """
    frames = counted[:, None, :, None, None]
    error = ((output - target).square() * frames).sum()
    if mean_over == "all":
        return error / output.numel()
    elements_per_frame = output[0, :, 0].numel()
    return error / (counted.sum() * elements_per_frame)
