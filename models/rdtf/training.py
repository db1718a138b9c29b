"""The training step of RDTF: build a batch with the dual mask and the curriculum, and compute its loss."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from diffusers import AutoencoderKL, DDIMScheduler
from jaxtyping import Float
from torch import Tensor

from rdtf_bench.core.method import Training, TrainingClips
from rdtf_bench.core.video import to_unit
from rdtf_bench.diffusion.latents import encode
from rdtf_bench.diffusion.losses import masked_mse
from rdtf_bench.diffusion.order import batch_indices
from rdtf_bench.models.rdtf.config import Config
from rdtf_bench.models.rdtf.curriculum import (
    TASKS,
    Case,
    draw_cases,
    expected_level,
    family_weights,
    make_curriculum,
    training_tasks,
)
from rdtf_bench.models.rdtf.dfgn import DFGN
from rdtf_bench.models.rdtf.dual_mask import Extraction, LatentsOf, MaskedClips, masked_clips
from rdtf_bench.models.rdtf.generation import pixels_per_latent
from rdtf_bench.models.rdtf.text import TextEncoders, TextStates, mask_words


@dataclass(frozen=True, kw_only=True)
class Batch:
    """The inputs of the network in one training step, on the training device and with the network's axes."""

    cases: list[Case]
    latents: Float[Tensor, "B C F H W"]
    image_latents: Float[Tensor, "B C F H W"]
    counted: Float[Tensor, "B F"]
    text: TextStates


class TrainingStep:
    """Compute the loss of each training step of one fit.

    `curriculum` changes while training, so it belongs in the checkpoint.
    """

    def __init__(
        self,
        config: Config,
        training: Training,
        clips: TrainingClips,
        *,
        network: DFGN,
        autoencoder: AutoencoderKL,
        text: TextEncoders,
        scheduler: DDIMScheduler,
        device: torch.device,
    ) -> None:
        self.config, self.training, self.clips, self.device = config, training, clips, device
        self.network, self.autoencoder, self.text, self.scheduler = network, autoencoder, text, scheduler
        self.extraction = Extraction(
            clips, clustering=config.extraction == "clusters", representative=config.representative
        )
        self.curriculum = make_curriculum(
            config.curriculum,
            variant=config.curriculum_variant,
            k_min=config.k_min,
            k_max=config.k_max,
            tasks=tuple(TASKS) if config.condition_masks == "all" else training_tasks(training.task),
            gains=config.curriculum_gains,
            balance=config.curriculum_balance,
            num_steps=training.num_steps,
            history_steps=config.curriculum_history_steps,
        )
        self._grey_latent: Tensor | None = None

    def loss_at(self, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
        """Return the loss of step `step` and the values to log; the curriculum then observes the loss."""
        progress = step / max(self.training.num_steps - 1, 1)
        indices = batch_indices(self.clips.shard_sizes, self.training, step)
        given = self.batch(indices, progress, generator)
        noise = torch.randn(given.latents.shape, generator=generator).to(self.device)
        timesteps = torch.randint(
            self.scheduler.config.num_train_timesteps, (len(given.cases),), generator=generator
        ).to(self.device)
        noisy = self.scheduler.add_noise(given.latents, noise, timesteps)
        real = [case.num_frames for case in given.cases] if self.config.isolate_padding else None
        output = self.network(
            noisy, timesteps, given.image_latents, given.text.clip, given.text.t5, real_frames=real
        ).sample
        velocity = self.config.prediction_type == "v_prediction"
        target = self.scheduler.get_velocity(given.latents, noise, timesteps) if velocity else noise
        loss = masked_mse(output, target, given.counted, mean_over=self.config.loss_mean_over)
        logged = self._logged(given.cases, progress)
        self.curriculum.observe(loss.item())
        return loss, logged

    def _logged(self, cases: Sequence[Case], progress: float) -> dict[str, float]:
        return {
            **{f"weight_{family}": weight for family, weight in family_weights(self.curriculum, progress).items()},
            "expected_level": expected_level(self.curriculum, progress),
            "realised_level": sum(case.level for case in cases) / len(cases),
            **self.curriculum.describe(),
        }

    def batch(self, indices: Sequence[int], progress: float, generator: torch.Generator) -> Batch:
        """Draw a case for each of these clips and return the masked batch."""
        config, clips = self.config, self.clips
        available = [len(clips.features(index)) for index in indices]
        cases = draw_cases(self.curriculum, progress, available, generator)
        masked = masked_clips(
            indices,
            cases,
            generator,
            latents_of=self._latents_of(generator),
            num_frames=config.num_frames,
            extraction=self.extraction,
            padding=config.padding,
            grey=self._grey(clips.latents(indices[0]).shape[-2:]),
        )
        drops_text, drops_image = _dropped_conditions(len(cases), config.condition_dropout, generator)
        captions = [clips.captions[index] for index in indices]
        shown = [
            mask_words(caption, config.word_mask_probability, generator) if case.uses_text and not drop else ""
            for caption, case, drop in zip(captions, cases, drops_text, strict=True)
        ]
        fresh = [text not in ("", caption) for text, caption in zip(shown, captions, strict=True)]
        latents = masked.latents.transpose(1, 2).to(self.device)
        return Batch(
            cases=cases,
            latents=latents,
            image_latents=latents * _shown_frames(masked, drops_image).to(self.device),
            counted=masked.counted.to(self.device),
            text=self.text.encode_mixed(shown, fresh),
        )

    def _latents_of(self, generator: torch.Generator) -> LatentsOf:
        if self.config.latent == "sample":
            return posterior_samples(self.clips, self.autoencoder, generator)
        return lambda index, places: self.clips.latents(index)[list(places)]

    def _grey(self, size: torch.Size) -> Float[Tensor, "C H W"]:
        """Return the latent of an all-zero frame, which is mid-grey."""
        if self._grey_latent is None or self._grey_latent.shape[-2:] != size:
            shrink = pixels_per_latent(self.autoencoder.config)
            height, width = (side * shrink for side in size)
            empty = torch.zeros(1, 1, 3, height, width, device=self.device)
            self._grey_latent = encode(self.autoencoder, empty)[0, 0].cpu()
        return self._grey_latent


def posterior_samples(clips: TrainingClips, autoencoder: AutoencoderKL, generator: torch.Generator) -> LatentsOf:
    """Return a function that samples the autoencoder's posterior, as the authors train, instead of taking its mode.

    Each call encodes only the frames asked for. A frame that is asked for twice in one call has one sample, because the
    sample serves as target and as condition.
    """

    @torch.no_grad()
    def latents_of(index: int, places: Sequence[int]) -> Float[Tensor, "k c h w"]:
        wanted = sorted(set(places))
        frames = to_unit(clips.frames(index, wanted)[None])[0].to(autoencoder.device)
        posterior = autoencoder.encode(frames).latent_dist
        noise = torch.randn(posterior.mean.shape, generator=generator).to(posterior.mean)
        latents = (posterior.mean + posterior.std * noise) * autoencoder.config.scaling_factor
        return latents.cpu()[[wanted.index(place) for place in places]]

    return latents_of


def _dropped_conditions(count: int, probability: float, generator: torch.Generator) -> tuple[list[bool], list[bool]]:
    """Draw which clips lose their text and which lose their known frames.

    Losing the text alone, the frames alone and both have the same probability (InstructPix2Pix, arXiv 2211.09800).
    """
    draw = torch.rand(count, generator=generator)
    drops_text = draw < 2 * probability
    drops_image = (draw >= probability) & (draw < 3 * probability)
    return drops_text.tolist(), drops_image.tolist()


def _shown_frames(masked: MaskedClips, drops_image: Sequence[bool]) -> Float[Tensor, "B 1 F 1 1"]:
    shown = masked.known * ~torch.tensor(drops_image)[:, None]
    return shown[:, None, :, None, None]
