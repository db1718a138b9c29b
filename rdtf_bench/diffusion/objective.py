"""The gradients of a training step over clips, the same on any number of processes.

What a step draws for a clip depends on the seed, the pass over the data and the id of the clip alone. The loss of a
step is the sum of the squared errors over the number of counted elements of the whole batch. So neither the number of
processes nor gradient accumulation changes what is minimised; only the order in which sums are rounded differs.
"""

import math
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from accelerate import Accelerator
from jaxtyping import Float, Int
from torch import Tensor, nn

from rdtf_bench.core.errors import ProtocolError
from rdtf_bench.core.method import OnStep, Training, TrainingClips
from rdtf_bench.core.seeds import generator_for
from rdtf_bench.diffusion.checkpoints import Stateful
from rdtf_bench.diffusion.order import batch_indices
from rdtf_bench.diffusion.sharding import require_possible, sharded
from rdtf_bench.diffusion.training import accelerator_for, train

Batch = Any
"""The inputs and targets of some clips, in the form of an objective's own."""


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """A clip that a training step has drawn, and the generator of everything random about it in this step."""

    index: int
    generator: torch.Generator


@runtime_checkable
class Objective(Protocol):
    """What a method minimises over a batch of clips."""

    @property
    def network(self) -> nn.Module:
        """Return the network whose parameters are trained."""
        ...

    def batch(self, drawn: Sequence[Drawn], progress: float) -> Batch:
        """Return the inputs and targets for these clips. `progress` is the completed share of the training, 0 to 1."""
        ...

    def count(self, batch: Batch) -> float:
        """Return the number of elements whose error counts."""
        ...

    def error(self, network: nn.Module, batch: Batch) -> Tensor:
        """Return the sum of the squared errors of the counted elements."""
        ...

    def describe(self, batch: Batch, progress: float) -> dict[str, float]:
        """Return values to log. Those that differ between clips are means over the clips of this batch."""
        ...

    def observe(self, loss: float) -> None:
        """Take in the loss of the whole step, which may change what later steps draw."""
        ...


class ClipGradients:
    """Compute the gradients of one training step after another. Each process takes its own part of every batch."""

    def __init__(
        self,
        objective: Objective,
        clips: TrainingClips,
        training: Training,
        accelerator: Accelerator,
        *,
        network: nn.Module | None = None,
    ) -> None:
        """Compute the gradients with the objective's network, or with `network`, its copy with sharded weights."""
        if training.batch_size % accelerator.num_processes:
            raise ProtocolError(
                f"training: a batch of {training.batch_size} clips cannot be divided among {accelerator.num_processes} "
                "processes. Choose a number of processes that divides batch_size"
            )
        self.objective, self.clips, self.training, self.accelerator = objective, clips, training, accelerator
        if training.compile:
            objective.network.compile()
        # in evaluation mode accelerate only adds autocast: a sharded network exchanges its gradients by itself
        self.network: nn.Module = accelerator.prepare_model(
            network or objective.network, evaluation_mode=network is not None
        )

    def __call__(self, step: int) -> dict[str, float]:
        """Add the gradients of a step to the parameters. Return its loss and the other values to log."""
        objective, accelerator = self.objective, self.accelerator
        progress = step / max(self.training.num_steps - 1, 1)
        parts = self._parts(step)
        batches = [objective.batch(part, progress) for part in parts]
        described = [objective.describe(batch, progress) for batch in batches]
        counted = self._sum(math.fsum(objective.count(batch) for batch in batches))
        loss = 0.0
        for number, batch in enumerate(batches):
            last = number == len(batches) - 1
            # no effect on a sharded network: summing whole gradients would take the memory that sharding saves
            with nullcontext() if last else accelerator.no_sync(self.network):
                part = objective.error(self.network, batch) / counted
                accelerator.backward(part * accelerator.num_processes)  # the processes' gradients are averaged
            loss += part.item()
        loss = self._sum(loss)
        objective.observe(loss)
        return {"loss": loss, **{name: self._mean(name, described, parts) for name in described[0]}}

    def _parts(self, step: int) -> list[list[Drawn]]:
        """Return this process's clips of a step, one list for each backward pass."""
        training, clips = self.training, self.clips
        size = training.batch_size // self.accelerator.num_processes
        first = self.accelerator.process_index * size
        # cut before anything of a clip is read: the shards of the other processes' clips stay closed
        indices = batch_indices(clips.shard_sizes, training, step)[first : first + size]
        num_clips = len(clips.ids)
        mine = [
            Drawn(index=index, generator=generator_for(training.seed, "clip", place // num_clips, clips.ids[index]))
            for place, index in enumerate(indices, start=step * training.batch_size + first)
        ]
        at_once = training.micro_batch_size or size
        return [mine[start : start + at_once] for start in range(0, size, at_once)]

    def _mean(self, name: str, described: Sequence[Mapping[str, float]], parts: Sequence[Sequence[Drawn]]) -> float:
        """Return the mean over the clips of the batch."""
        mine = math.fsum(values[name] * len(part) for values, part in zip(described, parts, strict=True))
        return self._sum(mine) / self.training.batch_size

    def _sum(self, value: float) -> float:
        """Return the sum over the processes, in double precision."""
        if self.accelerator.num_processes == 1:
            return value
        reduced: Tensor = self.accelerator.reduce(
            torch.tensor(value, dtype=torch.float64, device=self.accelerator.device)
        )
        return reduced.item()


def draw_noise(generators: Sequence[torch.Generator], shape: Sequence[int]) -> Float[Tensor, "B ..."]:
    """Draw standard normal noise of this shape for each clip."""
    return torch.stack([torch.randn(*shape, generator=generator) for generator in generators])


def draw_timesteps(generators: Sequence[torch.Generator], scheduler: Any) -> Int[Tensor, " B"]:
    """Draw one of the scheduler's training timesteps for each clip, uniformly."""
    most = scheduler.config.num_train_timesteps
    return torch.stack([torch.randint(most, (), generator=generator) for generator in generators])


def train_on_clips(
    objective: Objective,
    parameters: Mapping[str, nn.Parameter],
    clips: TrainingClips,
    training: Training,
    *,
    folder: Path,
    on_step: OnStep,
    stateful: Mapping[str, Stateful] | None = None,
) -> None:
    """Train `parameters`, a part of the objective's network, on clips. See `diffusion.training.train`."""
    device = next(iter(parameters.values())).device
    accelerator = accelerator_for(device, mixed_precision=training.mixed_precision)
    if training.shard_weights:
        require_possible(training)
    parts = sharded(objective.network, parameters) if training.shard_weights else nullcontext((None, parameters))
    with parts as (network, trained):
        gradients = ClipGradients(objective, clips, training, accelerator, network=network)
        try:
            train(
                trained,
                gradients,
                training,
                accelerator=accelerator,
                folder=folder,
                on_step=on_step,
                stateful=stateful,
            )
        finally:
            accelerator.unwrap_model(gradients.network, keep_fp32_wrapper=False)
