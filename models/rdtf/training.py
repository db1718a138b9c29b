"""The training step of RDTF: build a batch with the dual mask and the curriculum, and compute its loss."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from diffusers import AutoencoderKL, DDIMScheduler
from jaxtyping import Float, Int
from torch import Tensor, nn

from rdtf_bench.core.method import Training, TrainingClips
from rdtf_bench.core.video import to_unit
from rdtf_bench.diffusion.latents import encode, pixels_per_latent
from rdtf_bench.diffusion.losses import counted_elements, masked_error
from rdtf_bench.diffusion.objective import Drawn, draw_noise, draw_timesteps
from rdtf_bench.models.rdtf.config import Config
from rdtf_bench.models.rdtf.course import curriculum_of
from rdtf_bench.models.rdtf.curriculum import Case, draw_cases, expected_level, family_weights
from rdtf_bench.models.rdtf.dfgn import DFGN
from rdtf_bench.models.rdtf.dual_mask import Extraction, LatentsOf, MaskedClips, masked_clips
from rdtf_bench.models.rdtf.text import TextEncoders, TextStates, mask_words


@dataclass(frozen=True, kw_only=True)
class Batch:
    """The inputs of the network in one training step and its target, on the training device."""

    cases: list[Case]
    noisy: Float[Tensor, "B C F H W"]
    timesteps: Int[Tensor, " B"]
    image_latents: Float[Tensor, "B C F H W"]
    text: TextStates
    target: Float[Tensor, "B C F H W"]
    counted: Float[Tensor, "B F"]


class TrainingStep:
    """What RDTF minimises (diffusion.objective.Objective).

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
        self.config, self.clips, self.device = config, clips, device
        self.network, self.autoencoder, self.text, self.scheduler = network, autoencoder, text, scheduler
        self.extraction = Extraction(clips, choice=config.extraction, representative=config.representative)
        self.curriculum = curriculum_of(config, task=training.task, num_steps=training.num_steps)
        self._grey_latent: Tensor | None = None

    def batch(self, drawn: Sequence[Drawn], progress: float) -> Batch:
        """Draw a case for each of these clips, and return the masked and noisy batch."""
        config, clips = self.config, self.clips
        generators = [clip.generator for clip in drawn]
        available = [self.extraction.available(clip.index) for clip in drawn]
        cases = draw_cases(self.curriculum, progress, available, generators)
        masked = masked_clips(
            drawn,
            cases,
            latents_of=self._latents_of(),
            num_frames=config.num_frames,
            extraction=self.extraction,
            padding=config.padding,
            grey=self._grey(clips.latents(drawn[0].index).shape[-2:]),
        )
        drops_text, drops_image = _dropped_conditions(generators, config.condition_dropout)
        captions = [clips.captions[clip.index] for clip in drawn]
        shown = [
            mask_words(caption, config.word_mask_probability, generator) if case.uses_text and not drop else ""
            for caption, case, drop, generator in zip(captions, cases, drops_text, generators, strict=True)
        ]
        fresh = [text not in ("", caption) for text, caption in zip(shown, captions, strict=True)]
        latents = masked.latents.transpose(1, 2).to(self.device)
        timesteps = draw_timesteps(generators, self.scheduler).to(self.device)
        noise = draw_noise(generators, latents.shape[1:]).to(self.device)
        velocity = config.prediction_type == "v_prediction"
        return Batch(
            cases=cases,
            noisy=self.scheduler.add_noise(latents, noise, timesteps),
            timesteps=timesteps,
            image_latents=latents * _shown_frames(masked, drops_image).to(self.device),
            text=self.text.encode_mixed(shown, fresh),
            target=self.scheduler.get_velocity(latents, noise, timesteps) if velocity else noise,
            counted=masked.counted.to(self.device),
        )

    def count(self, batch: Batch) -> float:
        return counted_elements(batch.target, batch.counted, mean_over=self.config.loss_mean_over)

    def error(self, network: nn.Module, batch: Batch) -> Float[Tensor, ""]:
        real = [case.num_frames for case in batch.cases] if self.config.isolate_padding else None
        output = network(
            batch.noisy, batch.timesteps, batch.image_latents, batch.text.clip, batch.text.t5, real_frames=real
        ).sample
        return masked_error(output, batch.target, batch.counted)

    def describe(self, batch: Batch, progress: float) -> dict[str, float]:
        return {
            **{f"weight_{family}": weight for family, weight in family_weights(self.curriculum, progress).items()},
            "expected_level": expected_level(self.curriculum, progress),
            "realised_level": sum(case.level for case in batch.cases) / len(batch.cases),
            **self.curriculum.describe(),
        }

    def observe(self, loss: float) -> None:
        self.curriculum.observe(loss)

    def _latents_of(self) -> LatentsOf:
        if self.config.latent == "sample":
            return posterior_samples(self.clips, self.autoencoder)
        return lambda index, places, _: self.clips.latents(index)[list(places)]

    def _grey(self, size: torch.Size) -> Float[Tensor, "C H W"]:
        """Return the latent of an all-zero frame, which is mid-grey."""
        if self._grey_latent is None or self._grey_latent.shape[-2:] != size:
            shrink = pixels_per_latent(self.autoencoder.config)
            height, width = (side * shrink for side in size)
            empty = torch.zeros(1, 1, 3, height, width, device=self.device)
            self._grey_latent = encode(self.autoencoder, empty)[0, 0].cpu()
        return self._grey_latent


def posterior_samples(clips: TrainingClips, autoencoder: AutoencoderKL) -> LatentsOf:
    """Return a function that samples the autoencoder's posterior, as the authors train, instead of taking its mode.

    Each call encodes only the frames asked for. A frame that is asked for twice in one call has one sample, because the
    sample serves as target and as condition.
    """

    @torch.no_grad()
    def latents_of(index: int, places: Sequence[int], generator: torch.Generator) -> Float[Tensor, "k c h w"]:
        wanted = sorted(set(places))
        frames = to_unit(clips.frames(index, wanted)[None])[0].to(autoencoder.device)
        posterior = autoencoder.encode(frames).latent_dist
        noise = torch.randn(posterior.mean.shape, generator=generator).to(posterior.mean)
        latents = (posterior.mean + posterior.std * noise) * autoencoder.config.scaling_factor
        return latents.cpu()[[wanted.index(place) for place in places]]

    return latents_of


def _dropped_conditions(generators: Sequence[torch.Generator], probability: float) -> tuple[list[bool], list[bool]]:
    """Draw which clips lose their text and which lose their known frames.

    Losing the text alone, the frames alone and both have the same probability (InstructPix2Pix, arXiv 2211.09800).
    """
    draw = torch.stack([torch.rand((), generator=generator) for generator in generators])
    drops_text = draw < 2 * probability
    drops_image = (draw >= probability) & (draw < 3 * probability)
    return drops_text.tolist(), drops_image.tolist()


def _shown_frames(masked: MaskedClips, drops_image: Sequence[bool]) -> Float[Tensor, "B 1 F 1 1"]:
    shown = masked.known * ~torch.tensor(drops_image)[:, None]
    return shown[:, None, :, None, None]
