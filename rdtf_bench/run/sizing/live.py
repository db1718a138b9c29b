"""Counts the bytes that tensors hold while a block of code runs, for real tensors and for fake ones."""

import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of every storage that an operation returns, until the storage is freed.

    Storages that were made before the block count from `hold` on.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.held = 0
        self.peak = 0
        self._storages: dict[int, weakref.ref[torch.UntypedStorage]] = {}

    def hold(self, tensors: Iterable[Tensor]) -> None:
        """Count the storages of these tensors."""
        for tensor in tensors:
            storage = tensor.untyped_storage()
            place, size = storage._cdata, storage.nbytes()
            if place not in self._storages:
                self._storages[place] = weakref.ref(storage, partial(self._forget, place, size))
                self.held += size
        self.peak = max(self.peak, self.held)

    def _forget(self, place: int, size: int, _freed: weakref.ref[torch.UntypedStorage]) -> None:
        del self._storages[place]
        self.held -= size

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        returned = func(*args, **(kwargs or {}))
        self.hold(leaf for leaf in tree_leaves(returned) if isinstance(leaf, Tensor))
        return returned


@contextmanager
def autocast_as_on_cuda() -> Iterator[None]:
    """Let autocast on the CPU compute normalisations in float32, as on a GPU, where they hold twice the bytes.

    The lists of both devices are in PyTorch's documentation of torch.amp. They also differ in softmax, which the
    denoisers apply to small tensors alone, outside of attention. A hook on all modules is also called where activations
    are recomputed in the backward pass; a torch function mode is not.
    """
    # torch uses what the hook returns, which its annotation does not say
    handle = register_module_forward_pre_hook(_in_float32)  # type: ignore[arg-type]
    try:
        yield
    finally:
        handle.remove()


def _in_float32(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...] | None:
    if isinstance(module, nn.GroupNorm | nn.LayerNorm) and torch.is_autocast_enabled("cpu"):
        return tuple(value.float() for value in inputs)
    return None
