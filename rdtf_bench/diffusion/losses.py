"""The masked loss: the first k frames of a clip count, padding does not (sec. "Dual-mask based data utilization")."""

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
    """Mean squared error where `counted` is 1.

    "counted" divides by the number of counted elements. "all" divides by the number of elements, as the authors' code
    does (a plain mean after both sides were multiplied by the mask), which shrinks the loss and the gradient of short
    clips by k / F.
    """
    frames = counted[:, None, :, None, None]
    error = ((output - target).square() * frames).sum()
    if mean_over == "all":
        return error / output.numel()
    elements_per_frame = output[0, :, 0].numel()
    return error / (counted.sum() * elements_per_frame)
