"""Times a few real training steps of a row on this machine, on random clips of the right shape. Prepares no data."""

import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from rdtf_bench.assets import registry
from rdtf_bench.assets.registry import Asset
from rdtf_bench.core.method import Training
from rdtf_bench.core.seeds import generator_for
from rdtf_bench.diffusion.latents import pixels_per_latent
from rdtf_bench.run.build.modules import build, device_of
from rdtf_bench.run.costs import memory
from rdtf_bench.spec.identities import FitIdentity
from rdtf_bench.spec.scale import Scale

WARM_UP_STEPS, TIMED_STEPS = 1, 3


@dataclass(frozen=True, kw_only=True)
class Probed:
    """The time and memory of one training step of a row on this machine."""

    seconds: float  # median of the timed steps
    peak_bytes: int | None  # of the device; None where it counts none


class RandomClips:
    """Training clips of noise (core.method.TrainingClips): the shapes of a scale, and no data."""

    def __init__(self, num_clips: int, scale: Scale, autoencoder: Mapping[str, object]) -> None:
        self.ids = [f"probe/{index}" for index in range(num_clips)]
        self.captions = [f"a sticker of noise, number {index}" for index in range(num_clips)]
        self.shard_sizes = [num_clips]
        channels, side = autoencoder["latent_channels"], scale.clip.size_px // pixels_per_latent(autoencoder)
        assert isinstance(channels, int)
        self._latents_shape = (scale.data.max_frames, channels, side, side)
        self._size_px = scale.clip.size_px
        self.latents = lru_cache(num_clips)(self._latents)

    def frames(self, index: int, places: Sequence[int]) -> UInt8[Tensor, "k C H W"]:
        shape = (len(places), 3, self._size_px, self._size_px)
        return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator_for("probe frames", index))

    def _latents(self, index: int) -> Float[Tensor, "F C H W"]:
        return torch.randn(self._latents_shape, generator=generator_for("probe latents", index))

    def keyframes(self, index: int) -> Sequence[int]:  # noqa: ARG002
        return ()

    def features(self, index: int) -> Float[Tensor, "F F"]:
        num_frames = self._latents_shape[0]
        return torch.randn(num_frames, num_frames, generator=generator_for("probe features", index))


def probe(fit: FitIdentity, scale: Scale, assets: Mapping[str, Asset]) -> Probed:
    """Train a row for a few steps in a folder that is then removed, and return the seconds of a step.

    Raises DeviceError without the device of the scale, and AssetError where weights are absent. A method that trains in
    stages shares the steps out as in its training, so the timed ones may be of the last stage alone.
    """
    device = device_of(scale)
    registry.require_present(assets[role] for role in fit.assets)
    torch.set_num_threads(scale.threads_per_worker)
    method = build(fit, {role: asset.path for role, asset in assets.items()}, device)
    training = replace(Training(**fit.training.model_dump()), num_steps=WARM_UP_STEPS + TIMED_STEPS)
    clips = RandomClips(training.num_steps * training.batch_size, scale, assets["autoencoder"].config())
    ended_s: list[float] = []
    memory.start(device.type)
    with tempfile.TemporaryDirectory() as folder:
        method.fit(clips, training, folder=Path(folder), on_step=lambda *_: ended_s.append(time.perf_counter()))
    steps_s = [end - begin for begin, end in zip(ended_s[WARM_UP_STEPS - 1 :], ended_s[WARM_UP_STEPS:], strict=False)]
    return Probed(
        seconds=statistics.median(steps_s),
        peak_bytes=memory.peak(device.type) if device.type == "cuda" else None,
    )
