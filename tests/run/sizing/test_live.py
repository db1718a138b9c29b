"""Bytes that tensors hold, counted for real and for fake tensors, and the precisions of autocast on a GPU."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional

from rdtf_bench.run.sizing.live import LiveBytes, autocast_as_on_cuda

FLOAT = 4  # bytes


def test_a_storage_counts_once_and_until_it_is_freed() -> None:
    with LiveBytes() as live:
        made = torch.zeros(100)
        views = [made.view(10, 10), made[:50], made.t()]
        assert live.held == 100 * FLOAT
        doubled = made * 2
        assert live.held == 200 * FLOAT
        del made, views
        assert live.held == 100 * FLOAT
        doubled.mul_(2)
    assert (live.held, live.peak) == (100 * FLOAT, 200 * FLOAT)


def test_what_was_made_before_counts_once_it_is_given() -> None:
    before = torch.zeros(100)
    live = LiveBytes()
    live.hold([before, before[:5]])
    with live:
        before.add_(1)
        kept = before + 1
    assert live.held == before.nbytes + kept.nbytes


def test_the_backward_pass_is_counted_and_a_fake_one_equals_a_real_one() -> None:
    def peak(weight: Tensor) -> int:
        weight.requires_grad_()
        with LiveBytes() as live:
            hidden = (weight.exp() * weight).relu()  # autograd keeps exp, the product or its relu, and the weight
            hidden.square().sum().backward()  # type: ignore[no-untyped-call]
        return live.peak

    with FakeTensorMode():
        fake = torch.zeros(50, 50)
    assert peak(fake) == peak(torch.zeros(50, 50)) > 3 * 50 * 50 * FLOAT


FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": lambda x: functional.linear(x, x),
    "convolution": lambda x: functional.conv2d(x[None, None], x[None, None, :3, :3]),
    "attention": lambda x: functional.scaled_dot_product_attention(x[None, None], x[None, None], x[None, None]),
    "matrix product": lambda x: x @ x,
    "group norm": lambda x: nn.GroupNorm(4, 16, device=x.device)(functional.linear(x, x)),
    "layer norm": lambda x: nn.LayerNorm(16, device=x.device)(functional.linear(x, x)),
    "SiLU": lambda x: functional.silu(functional.linear(x, x)),
    "GELU": lambda x: functional.gelu(functional.linear(x, x)),
    "sum of both precisions": lambda x: x + functional.linear(x, x),
}


@contextmanager
def cuda_autocast() -> Iterator[None]:
    """torch.autocast("cuda") switches itself off where there is no GPU, also for fake tensors."""
    torch.set_autocast_enabled("cuda", True)
    torch.set_autocast_dtype("cuda", torch.bfloat16)
    try:
        yield
    finally:
        torch.set_autocast_enabled("cuda", False)
        torch.clear_autocast_cache()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_autocast_has_the_precisions_of_a_gpu(name: str) -> None:
    function = FUNCTIONS[name]
    with FakeTensorMode():
        with cuda_autocast():
            on_gpu = function(torch.zeros(16, 16, device="cuda"))
        with torch.autocast("cpu", torch.bfloat16), autocast_as_on_cuda():
            here = function(torch.zeros(16, 16))
    assert on_gpu.device.type == "cuda"
    assert here.dtype == on_gpu.dtype
