"""VGG-16 for frame extraction, with random weights: the official ones are not shipped."""

from pathlib import Path

import pytest
import torch

from rdtf_bench.core.errors import AssetError
from rdtf_bench.metrics.features import vgg16


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> vgg16.VGG16:
    """The released layout at a narrower first fully connected layer: 411 MB of it would be random numbers."""
    monkeypatch.setattr(vgg16, "vgg16", lambda: _narrow())
    return vgg16.VGG16()


def _narrow() -> torch.nn.Module:
    network = torch.nn.Module()
    network.features = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3, stride=16), torch.nn.ReLU())
    network.avgpool = torch.nn.AdaptiveAvgPool2d((7, 7))
    network.classifier = torch.nn.Sequential(torch.nn.Linear(2 * 7 * 7, 5))
    return network


def test_a_frame_has_features_of_its_own_whatever_the_batch(narrow: vgg16.VGG16) -> None:
    frames = torch.randint(256, (6, 3, 20, 30), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    together = narrow.features(frames, size_px=64)
    assert together.shape == (6, 5)
    torch.testing.assert_close(narrow.features(frames[5:], size_px=64), together[5:])
    assert (together[0] - together[1]).abs().max() > 1e-4


def test_the_margin_is_not_seen(narrow: vgg16.VGG16) -> None:
    frames = torch.zeros(1, 3, 512, 512, dtype=torch.uint8)
    bordered = frames.clone()
    bordered[..., :31] = 255  # (512 - 448) / 2 = 32
    torch.testing.assert_close(narrow.features(bordered, size_px=64), narrow.features(frames, size_px=64))


def test_other_bytes_and_no_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="is absent"):
        vgg16.load(tmp_path / "vgg16.pth")
    (tmp_path / "vgg16.pth").write_bytes(b"other")
    with pytest.raises(AssetError, match="has SHA-256"):
        vgg16.load(tmp_path / "vgg16.pth")
