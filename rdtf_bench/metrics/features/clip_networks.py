"""Networks that turn a clip into one feature vector, for the Frechet video distance (FVD).

`I3DClips` is the network of the paper, with its published variants (`PROFILES`) and a named rule for clips that are too
short for it. `EfficientNetClips` describes frames by EfficientNet-Lite0 and motion by the changes of its features over
time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch._inductor import config as inductor

from rdtf_bench.core.errors import DataError, unknown_name
from rdtf_bench.core.seeds import generator_for
from rdtf_bench.core.store import sha256_of
from rdtf_bench.core.video import VideoU8
from rdtf_bench.metrics.features import efficientnet, i3d
from rdtf_bench.metrics.features.originals import known_sha256s, unverified
from rdtf_bench.metrics.features.precision import full_precision


@dataclass(frozen=True, kw_only=True)
class Profile:
    """The choices of one published FVD program, without its float32 matrix roots and its truncation to bytes."""

    resize: str  # as the yardstick's name spells it
    epsilon: float  # of the batch normalisation
    ddof: int  # covariances divide by n - ddof


PROFILES: Mapping[str, Profile] = {
    "reference": Profile(resize="bilinear", epsilon=1e-3, ddof=1),  # google-research frechet_video_distance
    "styleganv": Profile(resize="bilinear half-pixel", epsilon=1e-3, ddof=0),  # universome/stylegan-v
    "videogpt": Profile(resize="bilinear half-pixel crop, epsilon 1e-5", epsilon=1e-5, ddof=1),  # wilson1yan/VideoGPT
}


@runtime_checkable
class ClipNetwork(Protocol):
    """A frozen network that returns one row of features per clip."""

    @property
    def yardstick(self) -> str:
        """The name that a table prints in brackets; empty for the official network of FVD alone."""
        ...

    @property
    def num_features(self) -> int:
        """Return the number of features of one clip."""
        ...

    def __call__(self, video: VideoU8) -> Float[Tensor, "B D"]:
        """Return the features; those of a clip depend on that clip alone."""
        ...


@runtime_checkable
class NamedNetwork(Protocol):
    """A network that names everything that determines its features, as a full name and a feature cache require."""

    @property
    def weights_sha256(self) -> str:
        """Return the SHA-256 of the file of weights, in hexadecimal digits."""
        ...

    def full_name(self, num_frames: int | None) -> str:
        """Name the network, its weights and the preprocessing, such as "i3d-k400, 8>16 repeat, 224 bilinear"."""
        ...


class EfficientNetClips(nn.Module):
    """EfficientNet-Lite0 with 960 features per clip.

    They are the mean, the mean absolute first difference and the mean absolute second difference over the frames of its
    320 features.
    """

    num_features = 3 * efficientnet.NUM_FEATURES
    parts: Mapping[str, slice] = {
        "appearance": slice(0, efficientnet.NUM_FEATURES),
        "motion": slice(efficientnet.NUM_FEATURES, num_features),
    }
    """The features that see single frames and those that see changes, by the name of the part of FVD."""
    weights_sha256 = efficientnet.SHA256

    def __init__(self, network: efficientnet.EfficientNetLite0, *, size_px: int) -> None:
        super().__init__()
        self.network = network
        self.size_px = size_px

    @property
    def yardstick(self) -> str:
        return f"enet-lite0 {self.size_px}px"

    def full_name(self, num_frames: int | None) -> str:
        frames = "" if num_frames is None else f"{num_frames} frames, "
        return f"enet-lite0, {frames}{self.size_px} bilinear antialias"

    def forward(self, video: VideoU8) -> Float[Tensor, "B D"]:
        if video.shape[1] < 3:
            raise DataError(
                f"second differences over time need at least 3 frames per clip; these clips have {video.shape[1]}"
            )
        # one clip per pass: the bits do not depend on the rest of the batch
        return torch.stack([temporal_summary(self.network.features(clip, size_px=self.size_px)) for clip in video])


class I3DClips(nn.Module):
    """I3D with 400 features per clip: its logits averaged over time.

    The profile decides the resize of frames, and the rule how short clips are extended. `name` is the name of a reduced
    network. Without a name, the hash of the weights tells whether the network is the original.
    """

    def __init__(
        self,
        network: i3d.I3D | i3d.ScriptedI3D,
        *,
        weights_sha256: str,
        name: str = "",
        profile: str = "reference",
        rule: str = "repeat",
        compiled: bool = False,
    ) -> None:
        super().__init__()
        if profile not in PROFILES:
            raise unknown_name("FVD profile", profile, PROFILES)
        if rule not in i3d.RULES:
            raise unknown_name("extension rule", rule, i3d.RULES)
        self.network = network.to(memory_format=torch.channels_last_3d)
        self.weights_sha256, self.name, self.profile, self.rule = weights_sha256, name, profile, rule
        self.num_features: int = network.num_classes
        self.is_official = not name and weights_sha256 in known_sha256s("i3d-k400", "i3d-k400-torchscript")
        self.compiled = compiled
        if compiled:
            self.network.compile()
        self.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> "I3DClips":  # noqa: ARG002
        """Stay in eval mode: a frozen network keeps its batch statistics, whatever module holds it."""
        return super().train(False)

    @property
    def yardstick(self) -> str:
        return self.name if self.name or self.is_official else unverified("i3d", self.weights_sha256)

    def full_name(self, num_frames: int | None) -> str:
        network = self.name or "i3d-k400"
        if not self.name and not self.is_official:
            network = f"i3d unverified sha256 {self.weights_sha256[:12]} probe {self.probe:.4f}"
        return f"{network}, {self._frames(num_frames)}, {self.network.size_px} {PROFILES[self.profile].resize}"

    def forward(self, video: VideoU8) -> Float[Tensor, "B D"]:
        if video.shape[1] < 2:
            raise DataError("clips of one frame are no videos: I3D needs at least 2 frames, which its rule extends")
        device = next(self.network.parameters()).device
        # freezing: batch normalisation goes into the convolutions, whose weights are laid out once
        with full_precision(device), inductor.patch(freezing=self.compiled):
            # one clip per pass: the bits do not depend on the rest of the batch
            return torch.cat([self.network(self.prepared(clip.movedim(1, 0).to(device))) for clip in video])

    def prepared(self, clip: UInt8[Tensor, "C T H W"]) -> Float[Tensor, "1 C t h w"]:
        """Return one clip as the network reads it.

        Frames are resized before they are repeated, which gives the same values at half the cost.
        """
        resized = i3d.resize(clip, profile=self.profile, size_px=self.network.size_px)
        return i3d.extend(resized, rule=self.rule)[None].contiguous(memory_format=torch.channels_last_3d)

    @cached_property
    def probe(self) -> float:
        """Mean absolute feature of one clip of seeded noise, which tells weights without a known hash apart."""
        noise = torch.randint(0, 256, (1, i3d.TRAINED_FRAMES, 3, 64, 64), generator=generator_for("i3d probe"))
        return float(self(noise.byte()).abs().mean())

    def _frames(self, num_frames: int | None) -> str:
        if num_frames is None:
            return self.rule
        if num_frames >= i3d.TRAINED_FRAMES or self.rule in ("pool1", "none"):
            return f"{num_frames} {'pool1' if self.rule == 'pool1' else 'frames'}"
        return f"{num_frames}>{i3d.TRAINED_FRAMES} {self.rule}"


def load_i3d(path: Path, *, profile: str = "reference", rule: str = "repeat", compiled: bool = False) -> I3DClips:
    """Load I3D from a file of weights, or from the folder of a reduced network.

    Raises AssetError if `path` is neither.
    """
    if profile not in PROFILES:
        raise unknown_name("FVD profile", profile, PROFILES)
    epsilon, pool_steps = PROFILES[profile].epsilon, 1 if rule == "pool1" else 2
    clips_of = partial(I3DClips, profile=profile, rule=rule, compiled=compiled)
    if path.is_dir():
        name, reduced = i3d.load_reduced(path, epsilon=epsilon, pool_steps=pool_steps)
        return clips_of(reduced, name=name, weights_sha256=sha256_of(path / i3d.WEIGHTS_FILE))
    network = i3d.load(path, epsilon=epsilon, pool_steps=pool_steps)
    return clips_of(network, weights_sha256=sha256_of(path))


def temporal_summary(features: Float[Tensor, "F D"]) -> Float[Tensor, " E"]:
    """Return the mean over frames, then the mean absolute first and second differences; E = 3 D."""
    first, second = features.diff(dim=0), features.diff(n=2, dim=0)
    return torch.cat([features.mean(0), first.abs().mean(0), second.abs().mean(0)])
