"""The contract of a method: what every model, baseline and plug-in offers, and what it is given.

A method is a module (`MethodModule`) whose `build` returns an object that trains and samples (`Method`). It inherits
nothing from this package. The module may define three more functions (`MethodWithCosts`), from which sizes and costs
are measured without weights, and these constants:

MORE_ASSETS
    `{(option, value): roles}`: further roles of frozen networks, needed where the option has that value. The default
    value of an option must not ask for any, because options at their default are not listed in a protocol.
SERVES_EVERY_TASK_UNLESS
    `(option, value)`: one set of weights serves every task, unless the option has that value. Tables of different tasks
    then share one training.
AT_SCALE
    `{scale: fields of spec.scale.MethodAtScale}`: what a method of another package needs at each scale that it
    supports. For the methods of this package, the scale files say it.
LEARNING_RATE
    Default learning rate of `rdtf-bench finetune`, for methods that tune I2VGen-XL.

Upper-case constants must be literals: they are read from the source, without importing the module.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from rdtf_bench.core.video import Video

OnStep = Callable[[int, dict[str, float]], None]
"""Called after each optimiser step with the number of the step, from 0, and its measurements (at least "loss")."""

Configs = Mapping[str, Mapping[str, Any]]
"""The configuration of each frozen network, by role."""


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """What the method may see of each clip. Only known frames hold pixels; the others are zeros."""

    clip_ids: tuple[str, ...]
    captions: tuple[str, ...]
    frames: Float[Tensor, "B F C H W"]
    known: Float[Tensor, "B F"]  # 1 where the frame is given


@dataclass(frozen=True, kw_only=True)
class Training:
    """The training budget of one fit, as the protocol and the scale decide it."""

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
    mixed_precision: str = "no"  # "bf16" or "fp16" computes the network under autocast; weights stay in float32
    micro_batch_size: int | None = None  # clips of one backward pass on one process; None: its whole share of the batch
    gradient_checkpointing: bool = False  # recompute activations in the backward pass
    compile: bool = False  # compile the network with torch.compile
    shard_weights: bool = False  # divide weights, gradients and optimizer over the processes; it decides no number
    weights: str = "float32"  # precision to which the trained weights are rounded, and in which they are stored


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
    """The training split. A sticker keeps all frames, up to the limit of the scale; the method chooses among them."""

    @property
    def ids(self) -> Sequence[str]:
        """Return the ids of all clips, in the order of `captions`."""
        ...

    @property
    def captions(self) -> Sequence[str]:
        """Return the caption of each clip, in the order of `ids`."""
        ...

    @property
    def shard_sizes(self) -> Sequence[int]:
        """Return the number of clips of each shard, which decides the order of training (see diffusion.order)."""
        ...

    def frames(self, index: int, places: Sequence[int]) -> UInt8[Tensor, "k C H W"]:
        """Return the pixels of these frames of a clip. They are decoded anew at each call."""
        ...

    def latents(self, index: int) -> Float[Tensor, "F C H W"]:
        """Return the mode of the autoencoder's posterior times its scaling factor, for each frame."""
        ...

    def keyframes(self, index: int) -> Sequence[int]:
        """Return the places of the frames that the makers of the data chose for training; none if they chose none."""
        ...

    def features(self, index: int) -> Float[Tensor, "F R"]:
        """Return the features by which frame extraction clusters the frames, rotated into at most F dimensions."""
        ...


@runtime_checkable
class Method(Protocol):
    """A method with its frozen networks loaded: it trains, saves, loads and samples."""

    def fit(self, clips: TrainingClips, training: Training, *, folder: Path, on_step: OnStep) -> None:
        """Train. `folder` holds the checkpoints; called again with them there, training resumes.

        On the same machine, a resumed training ends in the same bits.
        """
        ...

    def save(self, folder: Path) -> None:
        """Write what `load` needs into an existing, empty folder: the trained weights and none of the frozen ones."""
        ...

    def load(self, folder: Path) -> None:
        """Read the weights that `save` wrote."""
        ...

    def generate(self, given: Conditions, generators: Sequence[torch.Generator], sampler: Sampler) -> Video:
        """Sample one video per clip, known frames included, as the network makes them; one CPU generator per clip."""
        ...

    def denoiser(self) -> nn.Module:
        """Return the network that is called at every sampling step."""
        ...

    def denoiser_inputs(self, *, batch_size: int, num_frames: int, size_px: int) -> dict[str, Tensor]:
        """Return the keyword arguments of one forward pass of the denoiser, for timing."""
        ...

    def parameter_counts(self) -> dict[str, int]:
        """Return `base`, `trainable` and `total` of the denoiser, then the other components by name."""
        ...


@runtime_checkable
class MethodModule(Protocol):
    """The module of a method: what `catalog.METHODS` or an entry point of the group `rdtf_bench.methods` names."""

    @property
    def VERSION(self) -> int:
        """Number that is raised when the results of the method can change."""
        ...

    @property
    def ASSETS(self) -> tuple[str, ...]:
        """Roles of the frozen networks that the method needs, such as "autoencoder"; the scale names their weights."""
        ...

    @property
    def Config(self) -> type[Any]:
        """Frozen, keyword-only dataclass of the method's options; an option of a protocol is a field of it."""
        ...

    def build(self, config: Any, *, assets: Mapping[str, Path], device: torch.device) -> Method:
        """Load the frozen networks from `assets` (path by role) and return the method, not trained yet."""
        ...


@runtime_checkable
class MethodWithCosts(MethodModule, Protocol):
    """A method module that can also be measured without weights, from the configurations of its frozen networks.

    `rdtf-bench params` calls `parameter_counts`; a table of costs (such as table8) calls all three. Tables of quality
    need none.
    """

    def parameter_counts(self, config: Any, configs: Configs) -> dict[str, int]:
        """Return what `Method.parameter_counts` would return, then the sizes of the frozen networks by role."""
        ...

    def denoiser_on_meta(self, config: Any, configs: Configs) -> nn.Module:
        """Return the denoiser on the meta device: parameters with shapes and types, and no values.

        Those that training changes require gradients.
        """
        ...

    def denoiser_inputs(
        self, config: Any, configs: Configs, *, batch_size: int, num_frames: int, size_px: int
    ) -> dict[str, Tensor]:
        """Return the keyword arguments of one forward pass of the denoiser."""
        ...


@runtime_checkable
class MethodWithMemory(MethodWithCosts, Protocol):
    """A method module whose need of memory is known before any work (`rdtf-bench plan --memory`).

    The denoiser returns an output with the field `sample`, as those of diffusers do.
    """

    def recompute_activations(self, denoiser: nn.Module) -> None:
        """Switch gradient checkpointing on for good in a denoiser that `denoiser_on_meta` returned."""
        ...
