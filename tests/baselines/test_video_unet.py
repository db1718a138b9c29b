"""Video U-Nets from scratch, with temporal convolutions and with STI layers, and the protocol that compares them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.models.resnet import TemporalConvLayer
from safetensors.torch import load_file
from torch import Tensor

from rdtf_bench.baselines import video_unet
from rdtf_bench.baselines.i2vgen_xl.tuning import noisy_batch, velocity_error
from rdtf_bench.baselines.video_unet import VideoUNet
from rdtf_bench.core.errors import AssetError, ProtocolError
from rdtf_bench.core.method import Method
from rdtf_bench.core.seeds import generators_for
from rdtf_bench.models.rdtf.sti import STI
from rdtf_bench.models.toy import base
from rdtf_bench.run.costs.parameters import parameter_counts
from rdtf_bench.run.table import context
from rdtf_bench.spec.load import load_protocol, load_scale, scale_names
from tests.baselines.small_base import (
    FIRST,
    SAMPLER,
    WIDTH,
    Clips,
    conditions,
    losses_on_the_same_noise,
    random_inputs,
    training,
    write_image_encoder,
)

LATE = (0, 1, 0, 1, 0, 1, 0, 1)  # frame 0 is unknown
NETWORKS = ("i2vgen_xl", "unet_3d")
FOUR = [{"network": network, "temporal_layer": layer} for network in NETWORKS for layer in ("temporal_conv", "sti")]
SIZE = {"block_out_channels": (8, 16), "layers_per_block": 1, "norm_num_groups": 4, "attention_head_dim": 4}

Assets = Mapping[str, Path]
each = pytest.mark.parametrize("options", FOUR, ids=lambda options: "-".join(options.values()))
each_network = pytest.mark.parametrize("network", NETWORKS)


def make(assets: Assets, **options: Any) -> VideoUNet:
    config = video_unet.Config(text_tokens=8, sti_heads=2, **{**SIZE, **options})
    return video_unet.build(config, assets=assets, device=torch.device("cpu"))


def sample(method: VideoUNet, mask: tuple[int, ...] = FIRST) -> Tensor:
    given = conditions(mask)
    return method.generate(given, generators_for(0, given.clip_ids, "sample"), SAMPLER)


def spatial(method: VideoUNet) -> dict[str, Tensor]:
    return {name: weight for name, weight in method.network.named_parameters() if ".temp_convs." not in name}


@each
def test_it_is_a_method_whose_weights_are_all_trained(options: dict[str, str], assets: Assets) -> None:
    method = make(assets, **options)
    assert isinstance(method, Method)
    counts = method.parameter_counts()
    assert counts["base"] == 0
    assert counts["trainable"] == counts["total"] > 100_000
    assert not method.denoiser().training
    inputs = random_inputs(method)
    with torch.no_grad():
        assert method.denoiser()(**inputs).sample.shape == inputs["sample"].shape


def test_full_fine_tuning_starts_from_the_base_and_trains_all_of_it(
    assets: Assets, clips: Clips, tmp_path: Path
) -> None:
    method = make(assets, start="base")
    pretrained = load_file(assets["base"] / "unet" / "diffusion_pytorch_model.safetensors")
    weights = dict(method.network.named_parameters())
    assert all(torch.equal(weights[name], tensor) for name, tensor in pretrained.items())
    counts = method.parameter_counts()
    assert counts["base"] == counts["trainable"] == counts["total"] == sum(map(Tensor.numel, pretrained.values()))
    method.fit(clips, training(num_steps=2), folder=tmp_path, on_step=lambda *_: None)
    assert not any(torch.equal(weights[name], tensor) for name, tensor in pretrained.items() if tensor.ndim > 1)
    method.reset(1)
    assert all(torch.equal(weights[name], tensor) for name, tensor in pretrained.items())


def test_full_fine_tuning_needs_the_size_of_the_base(assets: Assets) -> None:
    with pytest.raises(ProtocolError, match=r"layers_per_block is 2, but the base in .* has 1"):
        make(assets, start="base", layers_per_block=2)
    with pytest.raises(ProtocolError, match=r"\(192, .*, but the base has \(320, 640, 1280, 1280\)"):
        parameter_counts("video_unet", load_scale("gpu"), {"start": "base"})  # before any weights are loaded
    with pytest.raises(ProtocolError, match="start: base needs network: i2vgen_xl"):
        make(assets, start="base", temporal_layer="sti")


def test_a_network_that_was_saved_before_it_could_start_from_the_base_still_loads(
    assets: Assets, tmp_path: Path
) -> None:
    method = make(assets)
    method.save(tmp_path)
    assert "start" not in json.loads((tmp_path / "adapter.json").read_text(encoding="utf-8"))["config"]
    make(assets).load(tmp_path)


@pytest.mark.parametrize(
    ("network", "with_convs", "with_sti"),
    [("i2vgen_xl", 1_420_469_224, 1_174_334_868), ("unet_3d", 1_411_245_380, 1_165_111_024)],
)
def test_parameters_at_full_size(network: str, with_convs: int, with_sti: int) -> None:
    """The plain U-Net is ModelScope's 1,411,233,860 and 320 kernels of 3x3 for four more input channels.

    STI replaces the 266,891,520 parameters of 22 temporal convolutions by 1027 d + 2402 for a width of d. The widths
    sum to 5 * 320 + 5 * 640 + 12 * 1280.
    """
    assert with_convs - with_sti == 266_891_520 - (1027 * 20_160 + 22 * 2402)
    scale = load_scale("paper")
    counts = [
        parameter_counts("video_unet", scale, {"network": network, "temporal_layer": layer})
        for layer in ("temporal_conv", "sti")
    ]
    assert [(count["base"], count["total"]) for count in counts] == [(0, with_convs), (0, with_sti)]
    assert counts[0]["image_encoder"] > 6e8


@each_network
def test_sti_replaces_every_temporal_convolution_and_nothing_else(network: str, assets: Assets) -> None:
    without, given = make(assets, network=network), make(assets, network=network, temporal_layer="sti")
    for method in (without, given):
        method.reset(3)
    layers = [sum(isinstance(layer, STI) for layer in method.network.modules()) for method in (without, given)]
    convolutions = [
        sum(isinstance(layer, TemporalConvLayer) for layer in method.network.modules()) for method in (without, given)
    ]
    assert (layers, convolutions) == ([0, 8], [8, 0])  # behind 2 resnets on the way down, 2 in the middle, 4 up
    shared, expected = spatial(given), spatial(without)
    assert shared.keys() == expected.keys()
    assert all(torch.equal(weight, expected[name]) for name, weight in shared.items())


@each
def test_every_weight_has_a_gradient_by_the_second_step(options: dict[str, str], assets: Assets) -> None:
    method = make(assets, **options)
    optimizer = torch.optim.SGD(method.trainable().values(), lr=0.1)
    generator = torch.Generator().manual_seed(0)
    clean = torch.randn(2, 4, 8, 8, 8, generator=generator)
    known = torch.tensor([FIRST, LATE], dtype=torch.float32)
    inputs = {
        "encoder_hidden_states": torch.randn(2, 5, WIDTH, generator=generator),
        "image_embeddings": torch.randn(2, WIDTH, generator=generator),
        "fps": torch.full((2,), 16),
    }
    for _ in range(2):  # the second, because the semantic branch of STI starts with the weight 0
        optimizer.zero_grad()
        counted = method.counted(known, "it2v")
        batch = noisy_batch(method, clean, known, inputs, counted=counted, generators=[generator, generator])
        loss = velocity_error(method.network, batch) / batch.target.numel()
        torch.autograd.backward(loss)
        optimizer.step()
    assert bool(loss.isfinite())
    assert [name for name, weight in method.trainable().items() if weight.grad is None or not weight.grad.any()] == []


@each
def test_steps_on_the_same_noise_lower_its_loss(options: dict[str, str], assets: Assets, clips: Clips) -> None:
    method = make(assets, **options)
    losses = losses_on_the_same_noise(method, clips, learning_rate=1e-3)
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 0.95 * losses[0]


@each
def test_what_was_trained_and_saved_makes_the_same_clips(
    options: dict[str, str], assets: Assets, clips: Clips, tmp_path: Path
) -> None:
    method, fresh = make(assets, **options), make(assets, **options)
    untrained = {name: weight.detach().clone() for name, weight in method.trainable().items()}
    (tmp_path / "fit").mkdir()
    method.fit(clips, training(num_steps=2), folder=tmp_path / "fit", on_step=lambda *_: None)
    assert [name for name, weight in method.trainable().items() if torch.equal(weight, untrained[name])] == []
    (tmp_path / "saved").mkdir()
    method.save(tmp_path / "saved")
    expected = sample(method)
    assert expected.shape == (1, 8, 3, 64, 64)
    assert torch.equal(sample(method), expected)
    assert not torch.equal(sample(fresh), expected)
    fresh.load(tmp_path / "saved")
    assert torch.equal(sample(fresh), expected)
    others = {**options, "temporal_layer": "sti" if options["temporal_layer"] == "temporal_conv" else "temporal_conv"}
    with pytest.raises(AssetError, match="'temporal_layer': "):
        make(assets, **others).load(tmp_path / "saved")


@each_network
@torch.no_grad()
def test_both_networks_see_every_condition(network: str, assets: Assets) -> None:
    method = make(assets, network=network)
    inputs = random_inputs(method)
    expected = method.network(**inputs).sample
    for name in ("image_latents", "image_embeddings", "encoder_hidden_states"):
        changed = method.network(**{**inputs, name: inputs[name] + 1}).sample
        assert not torch.allclose(changed, expected), name


@each_network
def test_known_frames_beyond_the_first_decide_the_clip(network: str, assets: Assets) -> None:
    method = make(assets, network=network)
    assert not torch.equal(sample(method, LATE), sample(method, FIRST))


def test_the_noise_schedule_is_that_of_the_release() -> None:
    config = video_unet.new_scheduler().config
    assert {name: config[name] for name in base.SCHEDULER} == base.SCHEDULER


def test_sti_needs_eight_frames(assets: Assets, clips: Clips, tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="6 frames, but STI layers need 8"):
        make(assets, temporal_layer="sti").fit(clips, training(num_frames=6), folder=tmp_path, on_step=lambda *_: None)
    make(assets).fit(clips, training(num_frames=6, num_steps=1), folder=tmp_path, on_step=lambda *_: None)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"norm_num_groups": 3}, "must be multiples of norm_num_groups 3"),
        ({"attention_head_dim": 9}, "attention_head_dim 9 is wider than the smallest of"),
    ],
)
def test_a_network_that_cannot_be_made_is_refused(options: dict[str, int], said: str) -> None:
    with pytest.raises(ProtocolError, match=said):
        video_unet.Config(**{**SIZE, **options})  # type: ignore[arg-type]


def test_captions_and_images_of_different_width_are_refused(assets: Assets, tmp_path: Path) -> None:
    write_image_encoder(tmp_path, tmp_path, width=WIDTH // 2)
    with pytest.raises(AssetError, match=r"have width 8, but .* needs width 16"):
        make({**assets, "image_encoder": tmp_path})


@pytest.mark.parametrize("name", sorted(set(scale_names()) - {"gpu", "paper"}))  # which need weights that are absent
def test_the_rows_of_the_protocol_differ_in_network_and_temporal_layer_alone(name: str) -> None:
    spec = load_protocol("vsd2m-sti")
    _, cells = context.cells_of(spec, load_scale(name), None, Path("no-store"))
    rows = [cell for cell in cells if cell.kind == "trained"]
    assert [row.label for row in rows] == ["I2VGen-XL", "I2VGen-XL with STI", "3-D U-Net", "3-D U-Net with STI"]
    assert len({row.id for row in rows}) == 4
    alike = [row.trained.model_dump() for row in rows]
    varied = [
        (fit["options"].pop("network", "i2vgen_xl"), fit["options"].pop("temporal_layer", "temporal_conv"))
        for fit in alike
    ]
    assert varied == [tuple(options.values()) for options in FOUR]
    assert all(fit == alike[0] for fit in alike)
    assert len({row.sample.model_copy(update={"fit": ""}).key for row in rows}) == 1


@pytest.mark.parametrize("name", ["gpu", "paper"])
def test_the_large_scales_make_networks_of_their_size(name: str) -> None:
    total = parameter_counts("video_unet", load_scale(name), {"temporal_layer": "sti"})["total"]
    assert (2e8 < total < 6e8) if name == "gpu" else total > 1e9
