"""SimDA's bottlenecks: where they stand and which frames count."""

import torch
from torch import nn

from rdtf_bench.baselines import simda
from rdtf_bench.baselines.i2vgen_xl.unet import AdapterI2VGenXLUNet
from rdtf_bench.baselines.simda import SpatialAdapter, TemporalAdapter
from tests.baselines.small_base import Build, unet


def places(config: simda.Config) -> dict[str, list[str]]:
    network = AdapterI2VGenXLUNet(**unet(widths=(8, 16, 16)).config)
    simda.add_adapter(network, config)
    found: dict[str, list[str]] = {"temporal": [], "spatial": []}
    for name, module in network.named_modules():
        if isinstance(module, TemporalAdapter):
            found["temporal"].append(name.removesuffix(".adapter"))
        elif isinstance(module, SpatialAdapter):
            found["spatial"].append(name)
    return found


def test_temporal_adapters_stand_before_the_spatial_transformers() -> None:
    crossed = ["down_blocks.0", "down_blocks.1", "up_blocks.1", "up_blocks.2"]
    expected = {f"{block}.temp_convs.{layer}" for block in crossed for layer in range(1 + block.startswith("up"))}
    found = places(simda.Config())
    assert set(found["temporal"]) == expected | {"mid_block.temp_convs.0"}
    assert len(found["spatial"]) == 2 * len(found["temporal"])


def test_they_can_stand_after_every_resnet() -> None:
    found = places(simda.Config(places="all"))
    assert {"down_blocks.2.temp_convs.0", "mid_block.temp_convs.1"} <= set(found["temporal"])
    assert len(found["temporal"]) == 3 + 2 + 6


@torch.no_grad()
def test_a_temporal_adapter_mixes_neighbouring_frames_of_one_clip_only() -> None:
    adapter = TemporalAdapter(4, 0.5)
    for parameter in adapter.parameters():
        nn.init.constant_(parameter, 0.5)
    states = torch.zeros(2 * 5, 4, 2, 2)
    before = adapter(states, 5)
    states[2, :, 0, 0] = 1  # frame 2 of the first clip
    moved = (adapter(states, 5) - before).abs().sum((1, 2, 3)) > 0
    assert moved.tolist() == [False, True, True, True, False] + [False] * 5


def test_which_frames_count_depends_on_the_task(build: Build) -> None:
    method = build(simda)
    known = torch.tensor([(1.0, 0, 0, 1)])
    assert method.counted(known, "it2v").tolist() == [[1, 1, 1, 1]]
    assert method.counted(known, "interpolation").tolist() == [[0, 1, 1, 0]]


def test_the_seed_decides_the_start(build: Build) -> None:
    method = build(simda)
    starts = []
    for seed in (0, 0, 1):
        method.reset(seed)
        starts.append(torch.cat([parameter.detach().flatten() for parameter in method.trainable().values()]))
    assert torch.equal(starts[0], starts[1])
    assert not torch.equal(starts[0], starts[2])
