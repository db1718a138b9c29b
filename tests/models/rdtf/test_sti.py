"""The spatial temporal interaction layer: its size and its properties."""

from typing import Any

import pytest
import torch
from torch import nn

from rdtf_bench.models.rdtf import STI
from rdtf_bench.models.rdtf.sti import Conv3D, NoTemporalLayer, temporal_conv


def frames(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("channels", [32, 64, 320])
def test_counts_the_released_parameters(channels: int) -> None:
    assert sum(p.numel() for p in STI(channels).parameters()) == 1027 * channels + 2402


def test_fusion_starts_with_the_detail_branch_alone() -> None:
    layer = STI(channels=8, num_groups=4)
    before = layer(frames(16, 8, 4, 4), 8)
    assert layer.transformer_blocks is not None
    for parameter in layer.transformer_blocks.parameters():
        nn.init.constant_(parameter, 3.0)
    torch.testing.assert_close(layer(frames(16, 8, 4, 4), 8), before)


@pytest.mark.parametrize("size", [(1, 1), (1, 4), (2, 2), (5, 3), (8, 8)])
def test_works_on_maps_smaller_than_its_pool_and_of_odd_size(size: tuple[int, int]) -> None:
    hidden = frames(16, 8, *size)
    assert STI(channels=8, num_groups=4, pool=4)(hidden, 8).shape == hidden.shape


@pytest.mark.parametrize("options", [{}, {"detail": "temporal_convs", "fusion": "gate", "residual": True}])
def test_clips_of_a_batch_do_not_mix_but_frames_do(options: dict[str, Any]) -> None:
    layer = STI(channels=8, num_groups=4, **options).eval()
    hidden = frames(16, 8, 4, 4)
    changed = hidden.clone()
    changed[8] = frames(8, 4, 4, seed=3)  # the second clip's first frame
    with torch.no_grad():
        difference = (layer(changed, 8) - layer(hidden, 8)).abs().amax(dim=(1, 2, 3))
    assert difference[:8].max() < 1e-6
    assert difference[9:].max() > 1e-4


def test_semantic_interaction_reaches_every_frame() -> None:
    layer = STI(channels=8, num_groups=4, branches="semantic").eval()
    hidden = frames(8, 8, 4, 4)
    changed = hidden.clone()
    changed[0] += 1
    with torch.no_grad():
        difference = (layer(changed, 8) - layer(hidden, 8)).abs().amax(dim=(1, 2, 3))
    assert difference.min() > 0


def test_the_gate_weighs_the_normalised_branches() -> None:
    gate_layer = STI(channels=8, num_groups=4, fusion="gate")
    assert gate_layer.gate is not None
    nn.init.zeros_(gate_layer.gate.weights.weight)
    nn.init.zeros_(gate_layer.gate.weights.bias)
    semantic, detail = frames(8, 8, 4, 4, seed=1), frames(8, 8, 4, 4, seed=2)
    expected = torch.stack(
        [nn.functional.layer_norm(x.movedim(1, -1), (8,)).movedim(-1, 1) for x in (semantic, detail)]
    )
    torch.testing.assert_close(gate_layer.gate(semantic, detail), expected.mean(dim=0))


@pytest.mark.parametrize("layer", [temporal_conv(8, 4), Conv3D(8, 4), NoTemporalLayer()])
def test_what_stands_in_its_place_is_silent_at_the_start(layer: nn.Module) -> None:
    hidden = frames(16, 8, 4, 4)
    torch.testing.assert_close(layer.eval()(hidden, num_frames=8), hidden)
