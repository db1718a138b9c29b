from pathlib import Path

import pytest
import timm
import torch
from timm.data import ImageNetInfo
from torch.nn import functional

from rdtf_bench.core.errors import AssetError
from rdtf_bench.core.seeds import generator_for
from rdtf_bench.core.video import VideoU8
from rdtf_bench.metrics.features import efficientnet


@pytest.fixture(scope="module")
def network() -> efficientnet.EfficientNetLite0:
    return efficientnet.load()


def frames(count: int, size_px: int = 64) -> VideoU8:
    shape = (count, 3, size_px, size_px)
    return torch.randint(0, 256, shape, generator=generator_for("frames", count), dtype=torch.uint8)


def test_features_are_the_blocks_of_timm_averaged_over_space(network: efficientnet.EfficientNetLite0) -> None:
    reference = timm.create_model("tf_efficientnet_lite0", features_only=True, pretrained=False).eval()
    reference.load_state_dict(efficientnet.state_dict(), strict=False)
    pixels = frames(3).float() / 255
    mean, std = torch.tensor(efficientnet.MEAN), torch.tensor(efficientnet.STD)
    with torch.inference_mode():
        maps = reference((pixels - mean[:, None, None]) / std[:, None, None])[-1]
    # float32 in another memory order: 1e-4 of features of size 1
    torch.testing.assert_close(network.features(frames(3), size_px=64), maps.mean((2, 3)), rtol=1e-4, atol=1e-4)


def test_the_weights_know_what_a_traffic_light_is(network: efficientnet.EfficientNetLite0) -> None:
    # drawn, not photographed: three lamps on a dark box. Shuffled entries or BGR would not find it among 1,000 classes
    image = torch.full((1, 3, 224, 224), 210, dtype=torch.uint8)
    image[:, :, 20:204, 72:152] = 25
    rows, columns = torch.meshgrid(torch.arange(224), torch.arange(224), indexing="ij")
    for row, colour in ((55, (255, 30, 30)), (112, (255, 190, 20)), (169, (30, 220, 60))):
        lamp = (rows - row).square() + (columns - 112).square() < 24**2
        image[0, :, lamp] = torch.tensor(colour, dtype=torch.uint8)[:, None]
    pooled = network.features(image, size_px=224, after_head=True)
    names = ImageNetInfo()
    best = network.network.classifier(pooled)[0].topk(3).indices.tolist()
    assert "traffic light" in " ".join(names.index_to_description(index) for index in best)


def test_shapes_before_and_after_the_head(network: efficientnet.EfficientNetLite0) -> None:
    before = network.features(frames(2), size_px=96)
    after = network.features(frames(2), size_px=96, after_head=True)
    assert (before.shape, before.dtype) == ((2, 320), torch.float32)
    assert after.shape == (2, 1280)


def test_frames_are_resized_with_antialias(network: efficientnet.EfficientNetLite0) -> None:
    fine = frames(2, size_px=160)
    small = functional.interpolate(fine.float(), (80, 80), mode="bilinear", antialias=True).round().byte()
    aliased = functional.interpolate(fine.float(), (80, 80), mode="bilinear").round().byte()
    found = network.features(fine, size_px=80)
    distances = [float((network.features(x, size_px=80) - found).norm()) for x in (small, aliased)]
    assert distances[0] < 0.1 * distances[1]


def test_a_frames_features_do_not_depend_on_the_others(network: efficientnet.EfficientNetLite0) -> None:
    many = frames(40)
    alone = torch.cat([network.features(one[None], size_px=64) for one in many])
    # another batch, another kernel: the last bits of float32, through 50 layers, of features of size 1
    torch.testing.assert_close(network.features(many, size_px=64), alone, rtol=1e-4, atol=1e-4)


def test_it_stays_frozen_inside_a_module_in_training(network: efficientnet.EfficientNetLite0) -> None:
    before = network.features(frames(4), size_px=64)
    torch.nn.ModuleList([network]).train()
    assert not any(module.training for module in network.modules())
    assert not any(parameter.requires_grad for parameter in network.parameters())
    assert torch.equal(network.features(frames(4), size_px=64), before)


def test_autocast_of_the_caller_changes_nothing(network: efficientnet.EfficientNetLite0) -> None:
    before = network.features(frames(2), size_px=64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(network.features(frames(2), size_px=64), before)


def test_other_bytes_and_absent_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "weights.pth").write_bytes(b"not these")
    with pytest.raises(AssetError, match="has SHA-256"):
        efficientnet.load(tmp_path / "weights.pth")
    with pytest.raises(AssetError, match="is absent"):
        efficientnet.load(tmp_path / "none.pth")
