"""The parts of tuning I2VGen-XL that all baselines share: conditions, training loss, sampling and adapter files.

A baseline defines the layers it adds, the frames its loss counts, and whether known frames enter free of noise.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rdtf_bench.baselines.i2vgen_xl import adapter_files
from rdtf_bench.baselines.i2vgen_xl.counting import count, zero_inputs
from rdtf_bench.baselines.i2vgen_xl.examples import Examples, training_masks
from rdtf_bench.baselines.i2vgen_xl.parts import Conditioning, Parts
from rdtf_bench.baselines.i2vgen_xl.released import NUM_FRAMES
from rdtf_bench.baselines.i2vgen_xl.unet import recomputed
from rdtf_bench.core.errors import ProtocolError
from rdtf_bench.core.method import Conditions, OnStep, Sampler, Training, TrainingClips
from rdtf_bench.core.video import Video
from rdtf_bench.diffusion import guidance
from rdtf_bench.diffusion.latents import decode
from rdtf_bench.diffusion.losses import masked_mse
from rdtf_bench.diffusion.masks import draw_known
from rdtf_bench.diffusion.order import batch_indices
from rdtf_bench.diffusion.sampling import Latents, sample_latents
from rdtf_bench.diffusion.training import train

Known = Float[Tensor, "B F"]

Loss = Callable[[Examples, Sequence[int], str, torch.Generator], Tensor]
"""(examples, indices of the batch, task, random generator) -> the loss of a training step."""


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
    return torch.where(known[:, None, :, None, None].bool(), clean, latents)


class TunedI2VGenXL(ABC):
    """A frozen I2VGen-XL with an adapter, behind the contract of `core.method.Method`."""

    NAME: ClassVar[str]
    KNOWN_STAY_CLEAN: ClassVar[bool] = False  # True: known frames of the noisy sample have no noise

    def __init__(self, parts: Parts, config: Conditioning, *, version: int) -> None:
        self.parts = parts
        self.config = config
        self.base_size = count(parts.unet.parameters())
        self.identity = adapter_files.identity(self.NAME, version, config, base=parts.fingerprint)
        self.network: nn.Module = parts.unet
        self.task: str | None = None  # the task that the weights were trained for

    def trainable(self) -> dict[str, nn.Parameter]:
        return {name: parameter for name, parameter in self.network.named_parameters() if parameter.requires_grad}

    @abstractmethod
    def reset(self, seed: int) -> None:
        """Reset the adapter to its state before training."""

    @abstractmethod
    def counted(self, known: Known, task: str) -> Known:
        """Return the loss mask: 1 for the frames whose error is minimised."""

    def fit(self, clips: TrainingClips, training: Training, *, folder: Path, on_step: OnStep) -> None:
        self.reset(training.seed)
        examples = self.examples(clips, training)
        self.task = training.task
        self.train(self.trainable(), self.loss, examples, training, folder=folder, on_step=on_step)

    def examples(self, clips: TrainingClips, training: Training) -> Examples:
        if self.config.variant == "released" and training.num_frames != NUM_FRAMES:
            raise ProtocolError(
                f"{self.NAME}: the clips have {training.num_frames} frames, but the released base needs {NUM_FRAMES}. "
                f"Use {NUM_FRAMES} frames, or set variant to faithful."
            )
        return Examples(self.parts, self.config, clips, training)

    def train(
        self,
        parameters: Mapping[str, nn.Parameter],
        loss: Loss,
        examples: Examples,
        training: Training,
        *,
        folder: Path,
        on_step: OnStep,
    ) -> None:
        def loss_at(step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
            chosen = batch_indices(examples.shard_sizes, training, step)
            return loss(examples, chosen, training.task, generator), {}

        folder.mkdir(exist_ok=True)
        with recomputed(self.parts.unet, enabled=self.config.gradient_checkpointing):
            train(parameters, loss_at, training, folder=folder, on_step=on_step)

    def loss(
        self, examples: Examples, chosen: Sequence[int], task: str, generator: torch.Generator
    ) -> Float[Tensor, ""]:
        known = draw_known(examples.masks, batch_size=len(chosen), generator=generator)
        clean = examples.latents(chosen)
        inputs = self.draw_inputs(examples, chosen, known, generator)
        return self.velocity_loss(clean, known, inputs, counted=self.counted(known, task), generator=generator)

    def draw_inputs(
        self, examples: Examples, chosen: Sequence[int], known: Known, generator: torch.Generator
    ) -> dict[str, Tensor]:
        """Return the conditions of the denoiser other than the latents, with random condition dropout."""
        dropped = torch.rand(len(chosen), generator=generator) < self.config.condition_dropout
        return {
            "encoder_hidden_states": examples.texts(chosen, dropped),
            "image_embeddings": examples.images(chosen, known, dropped),
            "fps": torch.full((len(chosen),), self.config.fps),
        }

    def velocity_loss(
        self,
        clean: Latents,
        known: Known,
        inputs: Mapping[str, Tensor],
        *,
        counted: Known,
        generator: torch.Generator,
    ) -> Float[Tensor, ""]:
        """Return the squared error of the velocity (Salimans & Ho 2022, app. D) at one random timestep per clip."""
        scheduler, device = self.parts.scheduler, self.parts.device
        timesteps = torch.randint(scheduler.config.num_train_timesteps, (len(clean),), generator=generator)
        noise = torch.randn(clean.shape, generator=generator)
        noisy = scheduler.add_noise(clean, noise, timesteps)
        if self.KNOWN_STAY_CLEAN:
            noisy = keep_known(noisy, clean, known)
        given = {"image_latents": mark_known(clean, known), "known": known, **inputs}
        with self._autocast():
            output = self.network(
                noisy.to(device), timesteps.to(device), **{name: tensor.to(device) for name, tensor in given.items()}
            )
        target = scheduler.get_velocity(clean, noise, timesteps)
        return masked_mse(output.sample.float(), target.to(device), counted.to(device))

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.parts.device.type, torch.bfloat16, enabled=self.config.precision == "bf16")

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
            with self._autocast():
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
        unet = self.parts.unet.config
        inputs = zero_inputs(
            self.config,
            text_dim=unet.cross_attention_dim,
            latent_channels=unet.in_channels,
            batch_size=batch_size,
            num_frames=num_frames,
            side=size_px // 2 ** (len(self.parts.autoencoder.config.block_out_channels) - 1),
        )
        return {name: tensor.to(self.parts.device) for name, tensor in inputs.items()}

    def parameter_counts(self) -> dict[str, int]:
        """Count the parameters of the denoiser, then of the networks around it.

        `total` includes frozen parameters that the adapter adds.
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
