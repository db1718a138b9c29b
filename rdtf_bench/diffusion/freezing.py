"""The state of a network that is used and not trained."""

from typing import TypeVar

from torch import nn

Network = TypeVar("Network", bound=nn.Module)


def freeze(network: Network) -> Network:
    """Put a network into eval mode without gradients, in place, and return it.

    Every frozen network goes through here, however it was made: torch multiplies by a weight that needs a gradient in
    another way, under `no_grad` too (`should_fold` in ATen's LinearAlgebra.cpp). On some processors the results then
    differ in the last bits.
    """
    return network.eval().requires_grad_(False)
