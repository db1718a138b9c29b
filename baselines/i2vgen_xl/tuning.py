"""Holds what all baselines share: conditions, training loss, sampling and files of weights.

A baseline defines what it trains, the frames its loss counts, and whether known frames enter free of noise.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from rdtf_bench.baselines.i2vgen_xl import adapter_files
from rdtf_bench.baselines.i2vgen_xl.counting import count, zero_inputs
from rdtf_bench.baselines.i2vgen_xl.encoders import Conditioning
from rdtf_bench.baselines.i2vgen_xl.examples import Examples, training_masks
from rdtf_bench.baselines.i2vgen_xl.parts import BaseOptions, Parts
from rdtf_bench.baselines.i2vgen_xl.released import NUM_FRAMES
from rdtf_bench.baselines.i2vgen_xl.unet import recomputed
from rdtf_bench.core.errors import ProtocolError
from rdtf_bench.core.method import Conditions, OnStep, Sampler, Training, TrainingClips
from rdtf_bench.core.video import Video
from rdtf_bench.diffusion import guidance
from rdtf_bench.diffusion.latents import decode
from rdtf_bench.diffusion.losses import counted_elements, masked_error
from rdtf_bench.diffusion.masks import draw_known, task_named
from rdtf_bench.diffusion.objective import Drawn, draw_noise, draw_timesteps, train_on_clips
from rdtf_bench.diffusion.sampling import Latents, sample_latents

Known = Float[Tensor, "B F"]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """The inputs of the network in one training step and its target, on the training device."""

    noisy: Latents
    timesteps: Int[Tensor, " B"]
    inputs: dict[str, Tensor]
    target: Latents
    counted: Known


class TuningStep:
    """What the baselines minimise: the error of the velocity (Salimans & Ho 2022, app. D) at one timestep per clip.

    Caption and image embedding are dropped together at random.
    """

    def __init__(self, method: "ConditionedUNet", examples: Examples) -> None:
        self.method, self.examples = method, examples
        self.network = method.network

    def batch(self, drawn: Sequence[Drawn], progress: float) -> Batch:  # noqa: ARG002
        generators = [clip.generator for clip in drawn]
        known = torch.cat([draw_known(self.examples.masks, batch_size=1, generator=one) for one in generators])
        clean = self.clean(drawn, known)
        inputs = self.inputs([clip.index for clip in drawn], known, generators)
        return noisy_batch(self.method, clean, known, inputs, counted=self.counted(known), generators=generators)

    def clean(self, drawn: Sequence[Drawn], known: Known) -> Latents:  # noqa: ARG002
        """Return the latents to which noise is added."""
        return self.examples.latents([clip.index for clip in drawn])

    def counted(self, known: Known) -> Known:
        """Return the loss mask: 1 for the frames whose error is minimised."""
        assert self.method.task is not None
        return self.method.counted(known, self.method.task)

    def inputs(self, chosen: Sequence[int], known: Known, generators: Sequence[torch.Generator]) -> dict[str, Tensor]:
        """Return the conditions of the denoiser other than the latents."""
        config = self.method.config
        draw = torch.stack([torch.rand((), generator=generator) for generator in generators])
        dropped = draw < config.condition_dropout
        return {
            "encoder_hidden_states": self.examples.texts(chosen, dropped),
            "image_embeddings": self.examples.images(chosen, known, dropped),
            "fps": torch.full((len(chosen),), config.fps),
        }

    def count(self, batch: Batch) -> float:
        return counted_elements(batch.target, batch.counted)

    def error(self, network: nn.Module, batch: Batch) -> Float[Tensor, ""]:
        with self.method.autocast():
            return velocity_error(network, batch)

    def describe(self, batch: Batch, progress: float) -> dict[str, float]:  # noqa: ARG002
        return {}

    def observe(self, loss: float) -> None:
        pass


def noisy_batch(
    method: "ConditionedUNet",
    clean: Latents,
    known: Known,
    inputs: Mapping[str, Tensor],
    *,
    counted: Known,
    generators: Sequence[torch.Generator],
) -> Batch:
    """Return clips with the noise of one random timestep each; `inputs` are the conditions other than the latents."""
    scheduler, device = method.parts.scheduler, method.parts.device
    timesteps = draw_timesteps(generators, scheduler)
    noise = draw_noise(generators, clean.shape[1:])
    noisy = scheduler.add_noise(clean, noise, timesteps)
    if method.KNOWN_STAY_CLEAN:
        noisy = keep_known(noisy, clean, known)
    given = {"image_latents": mark_known(clean, known), "known": known, **inputs}
    return Batch(
        noisy=noisy.to(device),
        timesteps=timesteps.to(device),
        inputs={name: tensor.to(device) for name, tensor in given.items()},
        target=scheduler.get_velocity(clean, noise, timesteps).to(device),
        counted=counted.to(device),
    )


def mark_known(latents: Latents, known: Known) -> Latents:
    """Return I2VGen-XL's image latents: the clean latents of known frames, and f / (F - 1) for the others."""
    positions = torch.linspace(0, 1, latents.shape[2], device=latents.device)[:, None, None].to(latents)
    return keep_known(positions.expand_as(latents), latents, known)


@torch.no_grad()
def draw_kaiming(parameter: nn.Parameter, generator: torch.Generator) -> None:
    """Initialise a parameter with torch's default, Kaiming uniform.

    The values are drawn on the CPU, like all random numbers of the suite, and then copied.
    """
    drawn = torch.empty(parameter.shape)
    nn.init.kaiming_uniform_(drawn, a=5**0.5, generator=generator)
    parameter.copy_(drawn)


def keep_known(latents: Latents, clean: Latents, known: Known) -> Latents:
    """Return the latents with those of the known frames replaced by the clean ones."""
    return torch.where(known[:, None, :, None, None].bool(), clean, latents)


def velocity_error(network: nn.Module, batch: Batch) -> Float[Tensor, ""]:
    """Return the sum of the squared errors of the predicted velocity over the counted frames."""
    output = network(batch.noisy, batch.timesteps, **batch.inputs).sample
    return masked_error(output.to(batch.target.dtype), batch.target, batch.counted)


class ConditionedUNet(ABC):
    """A U-Net with the conditions of I2VGen-XL, behind the contract of `core.method.Method`."""

    NAME: ClassVar[str]
    KNOWN_STAY_CLEAN: ClassVar[bool] = False  # True: known frames of the noisy sample have no noise

    def __init__(self, parts: Parts, config: Conditioning, *, version: int) -> None:
        self.parts = parts
        self.config = config
        self.identity = adapter_files.identity(self.NAME, version, config, base=parts.fingerprint)
        self.network: nn.Module = parts.unet
        self.base_size = 0  # number of pretrained parameters
        self.task: str | None = None  # the task that the weights were trained for

    def trainable(self) -> dict[str, nn.Parameter]:
        """Return the parameters that training changes, by their paths in the network."""
        return {name: parameter for name, parameter in self.network.named_parameters() if parameter.requires_grad}

    @abstractmethod
    def reset(self, seed: int) -> None:
        """Reset what is trained to its state before training."""

    def counted(self, known: Known, task: str) -> Known:
        """Return the loss mask: 1 for the frames whose error is minimised.

        All frames count for generation, and only the unknown frames for the other families.
        """
        return torch.ones_like(known) if task_named(task).family == "generation" else 1 - known

    def fit(self, clips: TrainingClips, training: Training, *, folder: Path, on_step: OnStep) -> None:
        self.reset(training.seed)
        examples = self.examples(clips, training)
        self.task = training.task
        self.train(TuningStep(self, examples), clips, training, folder=folder, on_step=on_step)

    def examples(self, clips: TrainingClips, training: Training) -> Examples:
        """Return the encoded training clips. Raises ProtocolError if the method cannot be trained on them."""
        return Examples(self.parts, self.config, clips, training)

    def train(
        self, step: "TuningStep", clips: TrainingClips, training: Training, *, folder: Path, on_step: OnStep
    ) -> None:
        """Train what requires gradients."""
        trained = {name: weight for name, weight in self.network.named_parameters() if weight.requires_grad}
        folder.mkdir(exist_ok=True)
        with recomputed(self.parts.unet, enabled=training.gradient_checkpointing):
            train_on_clips(step, trained, clips, training, folder=folder, on_step=on_step)

    def autocast(self) -> AbstractContextManager[Any]:
        """Return the context that the network computes in."""
        return nullcontext()

    @torch.inference_mode()
    def generate(self, given: Conditions, generators: Sequence[torch.Generator], sampler: Sampler) -> Video:
        known = given.known.to(self.parts.device)
        if not bool(known.any(1).all()):
            raise ProtocolError(
                f"{self.NAME}: a clip has no known frame, but I2VGen-XL makes a video from an image. "
                "Choose a task with known frames: it2v, i2v, interpolation or prediction."
            )
        self._check_task(given.known)
        clean = self.parts.encode_known(given.frames, given.known)
        branches = guidance.one_scale(text=sampler.guidance_text)
        inputs = self._guided_inputs(given, clean, known, branches)

        def denoise(latents: Latents, timestep: int) -> Latents:
            with self.autocast():
                output = self.network(latents.repeat(len(branches), 1, 1, 1, 1), timestep, **inputs).sample
            return guidance.combine(output.float(), branches)

        latents = sample_latents(
            denoise,
            clean,
            scheduler=self.parts.scheduler,
            generators=generators,
            sampler=sampler,
            project=(lambda latents: keep_known(latents, clean, known)) if self.KNOWN_STAY_CLEAN else None,
        )
        return decode(self.parts.autoencoder, latents.movedim(2, 1))

    def _check_task(self, known: Known) -> None:
        """Raise ProtocolError if a mask does not belong to the one task that the adapter was trained for."""
        if self.task is None:
            return
        served = training_masks(self.task, known.shape[1])
        masks = [tuple(int(frame) for frame in mask) for mask in known.tolist()]
        if strange := [mask for mask in masks if mask not in served]:
            raise ProtocolError(
                f"{self.NAME}: the adapter was trained for {self.task}, but the mask {strange[0]} does not belong to "
                "that task. Train an adapter for the task that you sample."
            )

    def _guided_inputs(
        self, given: Conditions, clean: Latents, known: Known, branches: Sequence[guidance.Branch]
    ) -> dict[str, Tensor]:
        """Return the conditions of all guidance branches.

        The branch without text has no image embedding either; every branch keeps the image latents.
        """
        copies, batch_size = len(branches), len(clean)
        first = given.frames[torch.arange(batch_size), given.known.argmax(1)]
        embeddings = self.parts.embed_images(first)
        states = self.parts.encode_captions([*given.captions, ""], self.config)
        choices = [branch.text for branch in branches]
        return {
            "encoder_hidden_states": guidance.stack(states[:-1], states[-1:].expand_as(states[:-1]), choices),
            "image_embeddings": guidance.stack(embeddings, torch.zeros_like(embeddings), choices),
            "image_latents": mark_known(clean, known).repeat(copies, 1, 1, 1, 1),
            "known": known.repeat(copies, 1),
            "fps": torch.full((copies * batch_size,), self.config.fps, device=clean.device),
        }

    def save(self, folder: Path) -> None:
        adapter_files.save(folder, self.trainable(), self.identity, self.task)

    def load(self, folder: Path) -> None:
        self.task = adapter_files.load(folder, self.trainable(), self.identity)

    def denoiser(self) -> nn.Module:
        return self.network

    def denoiser_inputs(self, *, batch_size: int, num_frames: int, size_px: int) -> dict[str, Tensor]:
        """Return zero-valued keyword arguments of one forward pass, for timing; the first frame is known."""
        inputs = zero_inputs(
            self.config,
            text_dim=self.parts.unet.config.cross_attention_dim,
            latent_channels=self.parts.autoencoder.config.latent_channels,
            autoencoder=self.parts.autoencoder.config,
            batch_size=batch_size,
            num_frames=num_frames,
            size_px=size_px,
        )
        return {name: tensor.to(self.parts.device) for name, tensor in inputs.items()}

    def parameter_counts(self) -> dict[str, int]:
        """Count the parameters of the denoiser, then of the networks around it.

        `base` counts what was pretrained, and `total` includes frozen parameters that an adapter adds.
        """
        networks = {
            "text_encoder": self.parts.text_encoder,
            "image_encoder": self.parts.image_encoder,
            "autoencoder": self.parts.autoencoder,
        }
        if self.parts.t5 is not None:
            networks["t5_encoder"] = self.parts.t5.encoder
        return {
            "base": self.base_size,
            "trainable": count(self.trainable().values()),
            "total": count(self.network.parameters()),
            **{role: count(network.parameters()) for role, network in networks.items()},
        }


class TunedI2VGenXL(ConditionedUNet):
    """A frozen I2VGen-XL with an adapter."""

    config: BaseOptions

    def __init__(self, parts: Parts, config: BaseOptions, *, version: int) -> None:
        super().__init__(parts, config, version=version)
        self.base_size = count(parts.unet.parameters())

    def examples(self, clips: TrainingClips, training: Training) -> Examples:
        if self.config.variant == "released" and training.num_frames != NUM_FRAMES:
            raise ProtocolError(
                f"{self.NAME}: the clips have {training.num_frames} frames, but the released base needs {NUM_FRAMES}. "
                f"Use {NUM_FRAMES} frames, or set variant to faithful."
            )
        return super().examples(clips, training)

    def autocast(self) -> torch.autocast:
        """Compute in bfloat16 where the base is kept in it."""
        return torch.autocast(self.parts.device.type, torch.bfloat16, enabled=self.config.precision == "bf16")
