"""FSDP2: the weights of a network, their gradients and the state of the optimizer, divided over the processes.

Each process keeps its part of every weight, and gathers the weights of one block at a time to compute with it. A step
of the optimizer works on the parts. Like their number, how processes share the work decides no number.

`fully_shard` is called directly, because accelerate offers FSDP2 on accelerators alone, and the equality with one
process is tested on CPUs. Everything else of a training stays with accelerate.
"""

import copy
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from rdtf_bench.core.errors import ProtocolError
from rdtf_bench.core.method import Training

UNTRIED = (("compile", True, "false"), ("mixed_precision", "fp16", "bf16"))
"""Fields of a training, their values that have not been tried with sharded weights, and what to set instead."""


def is_possible(training: Training) -> bool:
    """Return whether a training with these settings may have sharded weights."""
    return all(getattr(training, field) != untried for field, untried, _ in UNTRIED)


def require_possible(training: Training) -> None:
    """Raise ProtocolError for a training with settings that have not been tried with sharded weights."""
    for field, untried, instead in UNTRIED:
        if getattr(training, field) == untried:
            raise ProtocolError(
                f"--shard-weights: training.{field} is {str(untried).lower()}, which has not been tried with sharded "
                f"weights. Set it to {instead} in the scale, or leave --shard-weights out"
            )


@runtime_checkable
class CallsApart(Protocol):
    """A network that calls some layers outside of the block in which they stand."""

    def called_apart(self) -> Sequence[nn.Module]:
        """Return these layers, whose weights must be gathered at their own call."""
        ...


def blocks(network: nn.Module) -> list[nn.Module]:
    """Return the modules whose weights are gathered together, inner ones first.

    They are the members of the outermost module lists, and in them the layers that the network calls apart. The other
    weights are gathered for the whole step, as are those of a block that shares a weight with another module.
    """
    uses = _uses(network)
    alone = [block for block in _members(network) if all(uses[name] == count for name, count in _uses(block).items())]
    return [*(network.called_apart() if isinstance(network, CallsApart) else ()), *alone]


@contextmanager
def sharded(
    network: nn.Module, parameters: Mapping[str, nn.Parameter]
) -> Iterator[tuple[nn.Module, dict[str, nn.Parameter]]]:
    """Yield a copy of the network with sharded weights, and those of its parameters that stand for `parameters`.

    Until the block ends, `network` itself has no weights. Then they come back, from all processes. They do not after an
    exception: where one process has failed, the others cannot take part.
    """
    whole = dict(network.named_parameters())
    # FSDP2 changes the modules for good; the tensors are the same in both
    kept = {id(tensor): tensor for tensor in chain(whole.values(), network.buffers())}
    made = copy.deepcopy(network, kept)
    device = next(iter(whole.values())).device
    mesh = init_device_mesh(device.type, (torch.distributed.get_world_size(),))
    for module in (*blocks(made), made):
        fully_shard(module, mesh=mesh)
    parts = dict(made.named_parameters())
    for parameter in whole.values():
        parameter.data = parameter.new_empty(0)
    name_of = {id(parameter): name for name, parameter in whole.items()}
    yield made, {name: parts[name_of[id(parameter)]] for name, parameter in parameters.items()}
    for name, parameter in whole.items():
        part: Tensor = parts[name]
        assert isinstance(part, DTensor)
        parameter.data = part.full_tensor().detach()


def gathered(state: Any, *, keep: bool) -> Any:
    """Return a nested state with whole tensors on the CPU in place of sharded ones. All processes take part.

    Without `keep`, the whole tensors are dropped, each before the next is gathered.
    """
    if isinstance(state, DTensor):
        whole = state.full_tensor().detach()
        return whole.cpu() if keep else None
    if type(state) is dict:
        return {name: gathered(value, keep=keep) for name, value in state.items()}
    if type(state) is list:
        return [gathered(value, keep=keep) for value in state]
    return state


def divided(whole: Tensor, like: Tensor) -> Tensor:
    """Return a tensor on the device of `like`, sharded if `like` is a sharded tensor of its shape."""
    whole = whole.to(like.device)
    if not isinstance(like, DTensor) or whole.shape != like.shape:
        return whole
    # no communication: every process has read the whole. The clone lets go of it.
    return distribute_tensor(whole, like.device_mesh, like.placements, src_data_rank=None).clone()


def _members(module: nn.Module) -> Iterator[nn.Module]:
    for child in module.children():
        if isinstance(module, nn.ModuleList) and not isinstance(child, nn.ModuleList):
            yield child
        else:
            yield from _members(child)


def _uses(network: nn.Module) -> Counter[int]:
    """Count the modules that hold each parameter, by its id."""
    return Counter(id(parameter) for module in network.modules() for parameter in module.parameters(recurse=False))
