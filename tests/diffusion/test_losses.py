"""The masked loss against sums worked out by hand."""

import pytest
import torch

from rdtf_bench.diffusion.losses import counted_elements, masked_error

SHAPE = (2, 3, 4, 5, 5)


def test_counts_only_the_frames_that_count() -> None:
    output, target = torch.zeros(SHAPE), torch.zeros(SHAPE)
    output[0, :, 0] = 2.0  # counted: squared error 4 in one of the three counted frames
    output[0, :, 2:] = 100.0  # padding
    counted = torch.tensor([[1.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]])
    assert masked_error(output, target, counted) / counted_elements(target, counted) == pytest.approx(4 / 3)


def test_over_all_shrinks_short_clips() -> None:
    output, target = torch.ones(SHAPE), torch.zeros(SHAPE)
    counted = torch.tensor([[1.0, 1.0, 1.0, 0.0]] * 2)
    error = float(masked_error(output, target, counted))
    assert error / counted_elements(target, counted, mean_over="all") == pytest.approx(3 / 4)
    assert error / counted_elements(target, counted, mean_over="counted") == pytest.approx(1.0)


def test_is_the_plain_mean_where_all_frames_count() -> None:
    generator = torch.Generator().manual_seed(0)
    output, target = torch.randn(SHAPE, generator=generator), torch.randn(SHAPE, generator=generator)
    expected = torch.nn.functional.mse_loss(output, target)
    counted = torch.ones(2, 4)
    found = masked_error(output, target, counted) / counted_elements(target, counted)
    torch.testing.assert_close(found, expected)


def test_padding_gets_no_gradient() -> None:
    output = torch.ones(SHAPE, requires_grad=True)
    counted = torch.tensor([[1.0, 1.0, 0.0, 0.0]] * 2)
    masked_error(output, torch.zeros(SHAPE), counted).backward()  # type: ignore[no-untyped-call]
    assert output.grad is not None
    assert output.grad[:, :, 2:].abs().max() == 0
    assert output.grad[:, :, :2].abs().min() > 0
