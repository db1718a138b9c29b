"""VGG-16 with ImageNet weights (Simonyan and Zisserman 2015, arXiv:1409.1556), frozen: torchvision's network and file.

The authors of RDTF cluster frames by these features: the first fully connected layer, on a centre crop of 448 px from
frames that are resized to 512 px (mails9523/mails9523.github.io@de717c7).
"""

from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import vgg16

from rdtf_bench.assets.official import OFFICIAL
from rdtf_bench.core.errors import AssetError
from rdtf_bench.core.store import sha256_of
from rdtf_bench.metrics.features.efficientnet import MEAN, STD
from rdtf_bench.metrics.features.precision import full_precision

VERSION = 1
RESIZED_PX, CROPPED_PX = 512, 448
NUM_FEATURES = 4096
FRAMES_AT_ONCE = 4


class VGG16(nn.Module):
    """Features of single frames from the first fully connected layer."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.network = vgg16()
        self.register_buffer("mean", torch.tensor(MEAN).view(3, 1, 1) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(STD).view(3, 1, 1) * 255, persistent=False)
        self.requires_grad_(False).eval()

    def features(
        self,
        frames: UInt8[Tensor, "N C H W"],
        *,
        size_px: int,  # noqa: ARG002 the authors resize clips of any size to 512 px
    ) -> Float[Tensor, "N D"]:
        """Return 4096 features per frame, before the first activation; RGB frames are stretched to a square."""
        with full_precision(self.mean.device):
            return torch.cat([self._features(part) for part in torch.split(frames, FRAMES_AT_ONCE)])

    def _features(self, frames: UInt8[Tensor, "N C H W"]) -> Float[Tensor, "N D"]:
        x = functional.interpolate(
            frames.to(self.mean.device).float(), (RESIZED_PX, RESIZED_PX), mode="bilinear", antialias=True
        )
        margin = (RESIZED_PX - CROPPED_PX) // 2
        x = (x[..., margin:-margin, margin:-margin] - self.mean) / self.std
        maps = self.network.avgpool(self.network.features(x))
        first: Tensor = self.network.classifier[0](maps.flatten(1))
        return first


def load(weights: Path, device: torch.device | None = None) -> VGG16:
    """Load the weights from a file; raise AssetError if it is absent or its bytes differ."""
    official = OFFICIAL["vgg16"]
    found = sha256_of(weights) if weights.is_file() else None
    if found != official.files[""]:
        fault = f"has SHA-256 {found[:12]}..." if found else "is absent"
        raise AssetError(f"{weights} {fault}. It should be the file of {official.source}")
    model = VGG16()
    model.network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    return model.to(device or torch.device("cpu"))
