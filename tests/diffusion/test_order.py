"""The order of the clips: every clip once in a pass, few shards at a time, a new order in each pass."""

from collections.abc import Sequence
from itertools import accumulate
from typing import Any

import pytest
import torch
from torch import Tensor

from rdtf_bench.core.seeds import generator_for
from rdtf_bench.diffusion.order import WINDOW_SHARDS, batch_indices
from tests.diffusion.test_training import training


def one_pass(shard_sizes: Sequence[int], epoch: int = 0, **changed: Any) -> list[int]:
    return batch_indices(shard_sizes, training(batch_size=sum(shard_sizes), **changed), epoch)


def test_a_pass_sees_every_clip_once_in_an_order_of_its_own() -> None:
    settings = training(batch_size=5)
    passes = [[i for step in range(4) for i in batch_indices([10], settings, first + step)] for first in (0, 4)]
    for seen in passes:
        assert sorted(seen[:10]) == list(range(10))
        assert sorted(seen[10:]) == list(range(10))
    assert passes[0][:10] != passes[0][10:] != passes[1][:10]


def test_a_batch_may_span_two_passes() -> None:
    settings = training(batch_size=4)
    seen = [i for step in range(3) for i in batch_indices([6], settings, step)]
    assert sorted(seen[:6]) == sorted(seen[6:]) == list(range(6))


def test_shards_of_one_window_have_the_order_of_a_plain_permutation() -> None:
    plain = torch.randperm(12, generator=generator_for(0, "order", 3)).tolist()
    assert one_pass([12], 3) == one_pass([5, 4, 3], 3) == plain


def test_training_needs_the_shards_of_one_window_at_a_time() -> None:
    sizes = [3, 5, 4, 2, 5, 5, 1, 5, 5, 2]
    shard_of = [shard for shard, size in enumerate(sizes) for _ in range(size)]
    seen, windows = one_pass(sizes), []
    assert sorted(seen) == list(range(sum(sizes)))
    shards = [shard_of[index] for index in seen]
    first = {shard: shards.index(shard) for shard in range(len(sizes))}
    drawn = sorted(first, key=lambda shard: first[shard])
    for start in range(0, len(sizes), WINDOW_SHARDS):
        windows.append(set(drawn[start : start + WINDOW_SHARDS]))
    ends = list(accumulate(sum(sizes[shard] for shard in window) for window in windows))
    for window, end, count in zip(windows, ends, [0, *ends], strict=False):
        assert set(shards[count:end]) == window


def test_windows_and_the_clips_inside_change_with_each_pass() -> None:
    sizes = [20] * 12
    orders = [one_pass(sizes, epoch) for epoch in range(2)]
    windows = [{index // 20 for index in order[: 20 * WINDOW_SHARDS]} for order in orders]
    assert windows[0] != windows[1]
    assert orders[0][:WINDOW_SHARDS] != sorted(orders[0][:WINDOW_SHARDS])


def test_an_order_is_drawn_once_a_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    randperm = torch.randperm

    def counted(*given: Any, **options: Any) -> Tensor:
        drawn.append(given[0])
        return randperm(*given, **options)

    monkeypatch.setattr(torch, "randperm", counted)
    settings = training(batch_size=4, seed=12345)
    for step in range(9):
        batch_indices([12], settings, step)
    assert drawn == [1, 12] * 3


def test_the_order_depends_on_the_seed() -> None:
    assert len({tuple(one_pass([20], seed=seed)) for seed in range(4)}) == 4
