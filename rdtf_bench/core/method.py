"""What every model and every baseline must offer, and what it is given.

A method module holds VERSION (bumped when its results can change), ASSETS (the roles of the frozen networks it needs),
a frozen dataclass `Config`, `build(config, assets=, device=) -> Method`, and what costs are measured with, from the
configurations of these networks alone: `parameter_counts`, `denoiser_on_meta`, `denoiser_inputs`.

MORE_ASSETS, {(option, value): roles}, names the roles that an option asks for. SERVES_EVERY_TASK_UNLESS, (option,
value), says that one set of weights does, unless the option has that value.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from rdtf_bench.core.video import Video

OnStep = Callable[[int, dict[str, float]], None]
"""Told after each optimiser step: the step's number, from 0, and what it measured (at least "loss")."""


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What the method may see of each clip. A frame counts only where it is known; the others are zeros."""

    clip_ids: tuple[str, ...]
    captions: tuple[str, ...]
    frames: Float[Tensor, "B F C H W"]
    known: Float[Tensor, "B F"]  # 1 where the frame is given


@dataclass(frozen=True, kw_only=True)
class Training:
    """The price of one fit: what the protocol and the scale decide about it."""

    task: str  # a key of diffusion.masks.TASKS; "every task" for a method that serves all with one set of weights
    num_frames: int
    num_steps: int
    batch_size: int
    learning_rate: float
    weight_decay: float
    warmup_steps: int
    max_grad_norm: float
    ema_decay: float
    checkpoint_every: int
    seed: int
    lr_schedule: str = "constant_with_warmup"  # a name of diffusers' get_scheduler


@dataclass(frozen=True, kw_only=True)
class Sampler:
    """DDIM (Song et al. 2020) with classifier-free guidance."""

    num_steps: int
    timestep_spacing: str  # "leading" or "trailing" (arXiv:2305.08891, table 2), for every method alike
    eta: float
    guidance_text: float
    guidance_image: float  # only for methods with two scales; the others take the text scale alone


@runtime_checkable
class TrainingClips(Protocol):
    """The training split. Every sticker keeps all its frames (up to the scale's limit); a method chooses among them."""

    @property
    def ids(self) -> Sequence[str]: ...

    @property
    def captions(self) -> Sequence[str]: ...

    def frames(self, index: int) -> UInt8[Tensor, "F C H W"]: ...

    def latents(self, index: int) -> Float[Tensor, "F C H W"]:
        """The autoencoder's posterior mode times its scaling factor, frame by frame."""
        ...

    def features(self, index: int) -> Float[Tensor, "F D"]:
        """What frame extraction by clustering looks at."""
        ...


@runtime_checkable
class Method(Protocol):
    def fit(self, clips: TrainingClips, training: Training, *, folder: Path, on_step: OnStep) -> None:
        """Train. `folder` holds the checkpoints: called again with them there, it goes on. On the same machine it
        ends in the same bits."""
        ...

    def save(self, folder: Path) -> None:
        """Write what `load` needs into an existing, empty folder: what was trained and nothing frozen."""
        ...

    def load(self, folder: Path) -> None: ...

    def generate(self, given: Conditions, generators: Sequence[torch.Generator], sampler: Sampler) -> Video:
        """What the network makes of the conditions, known frames included; one CPU generator a clip."""
        ...

    def denoiser(self) -> nn.Module: ...

    def denoiser_inputs(self, *, batch_size: int, num_frames: int, size_px: int) -> dict[str, Tensor]:
        """Keyword arguments of one forward pass of the denoiser, for timing."""
        ...

    def parameter_counts(self) -> dict[str, int]:
        """`base`, `trainable` and `total` of the denoiser, then further components by name."""
        ...
