"""SimDA's bottlenecks: where they stand and which frames count."""

import torch
from torch import nn

from rdtf_bench.baselines import simda
from rdtf_bench.baselines.i2vgen_xl.unet import AdapterI2VGenXLUNet
from rdtf_bench.baselines.simda import SpatialAdapter, TemporalAdapter, shift_over_time
from tests.baselines.small_base import Build, random_inputs, unet


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


def test_a_token_is_taken_from_as_many_frames_earlier_as_its_place_says() -> None:
    frames, height, width = 6, 4, 8
    # the value of a token is its frame, then its row and column
    states = torch.cartesian_prod(torch.arange(2 * frames), torch.arange(height), torch.arange(width)).float()
    shifted = shift_over_time(states.reshape(2 * frames, height * width, 3), frames, height, width)
    for clip in range(2):
        for frame in range(frames):
            for row in range(height):
                for column in range(width):
                    shift = simda.SHIFTS[row % 4][column % 4]
                    source = frame - shift if frame >= shift else frame
                    token = shifted[clip * frames + frame, row * width + column].tolist()
                    assert token == [clip * frames + source, row, column]


def test_with_latent_shift_a_frame_sees_earlier_frames_and_no_later_ones(build: Build) -> None:
    network = build(simda, latent_shift=True).parts.unet
    attention = network.down_blocks[0].attentions[0].transformer_blocks[0].attn1
    network.context.num_frames = 5
    network.context.first_known_latents = torch.zeros(1, 4, 4, 4)
    states = torch.randn(5, 16, attention.to_q.in_features, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        before = attention(states)
        states[2] += 1
        moved = (attention(states) - before).abs().amax((1, 2)) > 0
    assert moved.tolist() == [False, False, True, True, True]


def test_latent_shift_adds_no_parameter_and_changes_the_base_before_training(build: Build) -> None:
    plain, shifted = build(simda), build(simda, latent_shift=True)
    assert plain.parameter_counts() == shifted.parameter_counts()
    given = random_inputs(plain)
    with torch.no_grad():
        assert not torch.allclose(plain.network(**given).sample, shifted.network(**given).sample, atol=1e-4)
