"""The training loop of all methods: AdamW, an exponential moving average (EMA), and checkpoints.

The data and the noise of a step depend on the seed and the number of the step alone. A checkpoint therefore holds the
weights, the optimiser and the EMA but no random state. On the same machine a resumed run ends in the same bits as an
uninterrupted one.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import broadcast
from diffusers.optimization import get_scheduler
from diffusers.training_utils import EMAModel
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from rdtf_bench.core.errors import DivergedError, Stopped
from rdtf_bench.core.method import OnStep, Training
from rdtf_bench.core.seeds import generator_for
from rdtf_bench.diffusion.checkpoints import Checkpoints, Stateful
from rdtf_bench.diffusion.sharding import divided, gathered

Gradients = Callable[[int], dict[str, float]]
"""Function that adds the gradients of a step to the parameters, and returns the "loss" and further values to log."""

LossAt = Callable[[int, torch.Generator], Tensor]
"""Function from a step and its generator to the loss of the step."""


def train(
    parameters: Mapping[str, nn.Parameter],
    gradients: Gradients,
    training: Training,
    *,
    folder: Path,
    on_step: OnStep,
    stateful: Mapping[str, Stateful] | None = None,
    accelerator: Accelerator | None = None,
) -> None:
    """Train `parameters` for `training.num_steps` steps; resume from the checkpoint in `folder` if there is one.

    `on_step` is called after each step. Where it raises Stopped, a checkpoint of this step is saved. Raises
    DivergedError where the loss is not a finite number, because every later step would only repeat that.
    Sharded parameters (diffusion.sharding) need an `accelerator`, and all processes save a checkpoint together.
    At the end the parameters are set to their exponential moving average, with the warm-up of diffusers' EMAModel.
    `ema_decay=0` switches the average off. `accelerator` is that of the gradients, if they are computed with one.
    """
    trained = list(parameters.values())
    if accelerator is None:
        accelerator = accelerator_for(trained[0].device)
    adamw = torch.optim.AdamW(trained, lr=training.learning_rate, weight_decay=training.weight_decay, fused=True)
    schedule = get_scheduler(
        training.lr_schedule,
        adamw,
        num_warmup_steps=training.warmup_steps,
        num_training_steps=training.num_steps,
    )
    adamw.register_load_state_dict_pre_hook(lambda _, saved: _moments_like(trained, saved))
    optimizer = accelerator.prepare_optimizer(adamw)
    ema = None
    if training.ema_decay > 0:
        ema = EMAModel(trained, decay=training.ema_decay, use_ema_warmup=True, power=3 / 4)
    parts: dict[str, Any] = {"optimizer": optimizer, "schedule": schedule, **(stateful or {})}
    if ema is not None:
        parts["ema"] = ema
    if accelerator.scaler is not None:
        parts["scaler"] = accelerator.scaler
    checkpoints = Checkpoints(folder, parameters, parts, every=training.checkpoint_every)
    first = checkpoints.resume()
    if ema is not None:
        # a checkpoint is read on the CPU, and holds whole tensors
        ema.shadow_params = [divided(average, like) for average, like in zip(ema.shadow_params, trained, strict=True)]
    for step in range(first, training.num_steps):
        measured = gradients(step)
        if accelerator.scaler is None:  # with fp16, the scaler skips such a step
            _require_finite(measured["loss"], step, training)
        norm = accelerator.clip_grad_norm_(trained, training.max_grad_norm)
        optimizer.step()
        learning_rate = schedule.get_last_lr()[0]
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        if ema is not None:
            ema.step(trained)
        stopped = None
        try:
            on_step(step, {**measured, "grad_norm": float(gathered(norm, keep=True)), "learning_rate": learning_rate})
        except Stopped as asked:
            stopped = asked
        is_first = accelerator.is_main_process
        is_due = stopped is not None or (is_first and step + 1 < training.num_steps and checkpoints.is_due(step + 1))
        if _of_first(is_due, trained[0]):
            checkpoints.save(step + 1, write=is_first)
        if stopped is not None:
            raise stopped
    if ema is not None:
        ema.copy_to(trained)


def _require_finite(loss: float, step: int, training: Training) -> None:
    if not math.isfinite(loss):
        raise DivergedError(
            f"the training has diverged: at step {step} of {training.num_steps} its loss is not a finite number. "
            f"Reduce the learning rate ({training.learning_rate:g}), or increase its warm-up "
            f"({training.warmup_steps} steps)."
        )


def _of_first(is_due: bool, parameter: nn.Parameter) -> bool:
    """Return what the first process says, where the weights are sharded and all processes save a checkpoint."""
    if isinstance(parameter, DTensor):
        is_due = bool(broadcast(torch.tensor(is_due, device=parameter.device)))
    return is_due


def _moments_like(trained: Sequence[nn.Parameter], saved: dict[str, Any]) -> dict[str, Any]:
    """Return a saved state of AdamW whose moments are sharded as the parameters are."""
    state = {
        number: {name: divided(value, trained[number]) for name, value in values.items()}
        for number, values in saved["state"].items()
    }
    return {**saved, "state": state}


def of_loss(loss_at: LossAt, seed: int) -> Gradients:
    """Return the gradients of a loss that draws everything random in a step from one generator, on one process."""

    def gradients(step: int) -> dict[str, float]:
        loss = loss_at(step, generator_for(seed, "step", step))
        loss.backward()  # type: ignore[no-untyped-call]
        return {"loss": loss.item()}

    return gradients


def accelerator_for(device: torch.device, *, mixed_precision: str = "no") -> Accelerator:
    """Return the accelerator of one training on this device, on as many processes as were started together."""
    AcceleratorState._reset_state()  # a process trains one row after another, and their precisions may differ
    return Accelerator(mixed_precision=mixed_precision, cpu=device.type == "cpu")
