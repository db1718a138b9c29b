"""RDTF as a method: training from scratch with the dual mask and the curriculum, sampling with two guidance scales."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import torch
from diffusers import DDIMScheduler
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor, nn

from rdtf_bench.core.errors import ProtocolError, StoreError
from rdtf_bench.core.method import Conditions, OnStep, Sampler, Training, TrainingClips
from rdtf_bench.core.seeds import seeded
from rdtf_bench.core.video import Video
from rdtf_bench.diffusion.latents import encode, load_autoencoder
from rdtf_bench.diffusion.losses import masked_mse
from rdtf_bench.diffusion.training import batch_indices, train
from rdtf_bench.models import frozen
from rdtf_bench.models.frozen import Configs
from rdtf_bench.models.rdtf.curriculum import (
    TASKS,
    Case,
    Curriculum,
    draw_cases,
    expected_level,
    family_weights,
    make_curriculum,
    training_tasks,
)
from rdtf_bench.models.rdtf.dfgn import DFGN, LATENT_CHANNELS, WEIGHTS
from rdtf_bench.models.rdtf.dual_mask import Extraction, MaskedClips, Padding, PosteriorSamples, masked_clips
from rdtf_bench.models.rdtf.generation import Guidance, generate, pixels_per_latent
from rdtf_bench.models.rdtf.pipeline import RDTFPipeline
from rdtf_bench.models.rdtf.sti import TemporalLayer
from rdtf_bench.models.rdtf.text import TextEncoders, TextStates, mask_words

VERSION = 2
ASSETS = ("autoencoder", "text_encoder", "t5_encoder")
SERVES_EVERY_TASK_UNLESS = ("condition_masks", "task")


@dataclass(frozen=True, kw_only=True)
class Config:
    """Every point on which paper and released code differ or are silent; README.md lists them with our reasons.

    The network's fields are those of `DFGN`; `dfgn.PAPER_TEXT` has the values of the paper's text.
    """

    block_out_channels: tuple[int, ...] = (320, 640, 1024, 1280)
    layers_per_block: int = 2
    attention_head_dim: int = 64
    norm_num_groups: int = 32
    transformer_in_heads: int = 8
    num_frames: int = 8
    temporal_layer: TemporalLayer = "sti"
    temporal_attention: bool = True
    sti_place: Literal["after_resnets", "after_spatial_attention"] = "after_resnets"
    sti_heads: int = 8
    sti_head_dim: int = 32
    sti_pool: int = 2
    sti_detail: Literal["frames_as_channels", "temporal_convs"] = "frames_as_channels"
    sti_fusion: Literal["scalars", "gate"] = "scalars"
    sti_residual: bool = False
    image_path: Literal["encoder", "latents"] = "encoder"
    absent_frame: Literal["zeros", "learned"] = "zeros"  # the latent of a frame that is not known; released: zeros
    text_map: Literal["t5_mlp", "two_linear"] = "t5_mlp"
    isolate_padding: bool = False  # True: padding reaches no layer that mixes frames; released: the network sees it

    clip_length: int = 77  # tokens; Table 6. Released: 256
    t5_length: int = 77  # tokens
    word_mask_probability: float = 0.2  # the released value; the paper gives none

    prediction_type: Literal["epsilon", "v_prediction"] = "epsilon"  # Table 6
    # released; Table 6 says linear. What the released training loads is I2VGen-XL's own: "squaredcos_cap_v2" with
    # zero_terminal_snr and v_prediction
    beta_schedule: Literal["scaled_linear", "linear", "squaredcos_cap_v2"] = "scaled_linear"
    zero_terminal_snr: bool = False

    condition_masks: Literal["all", "task"] = "all"  # "task": those of the evaluated task alone
    extraction: Literal["clusters", "intervals"] = "clusters"  # which frames: figure 4, or at equal intervals
    latent: Literal["mode", "sample"] = "mode"  # of the autoencoder's posterior, in training; released: a sample
    k_min: int = 3  # Table 6, "range of k"
    k_max: int = 8
    representative: Literal["random", "first"] = "random"  # of a cluster; released: first
    padding: Padding = "grey"  # the frames that do not count: an empty frame (released) or the last one again
    loss_mean_over: Literal["counted", "all"] = "counted"  # released: all

    curriculum: Literal["none", "linear", "adaptive"] = "adaptive"
    curriculum_variant: Literal["paper", "released"] = "paper"
    curriculum_gains: tuple[float, float, float] = (5.0, 3.0, 1.3)  # Table 6
    curriculum_balance: float = 0.5  # 0: the static part alone, 1: the adaptive part alone
    curriculum_history_steps: int = 1000  # the released window; eq. 3 has the whole training, and so have the scales

    guidance: Guidance = "two_scales"  # Table 6; released: a negative prompt
    negative_prompt: str = "distorted, discontinuous, ugly, blurry, low resolution, motionless, static, disfigured"
    condition_dropout: float = 0.1  # odds of each: no text, no image, neither. Two scales need all of them

    gradient_checkpointing: bool = False  # activations are made again in the backward pass; changes no number

    def __post_init__(self) -> None:
        """ProtocolError for what no network or training can be made of, all of it at once."""
        widths, groups = self.block_out_channels, self.norm_num_groups
        faults = {
            f"block_out_channels {list(widths)} must be multiples of norm_num_groups {groups}": any(
                width % groups for width in widths
            ),
            f"attention_head_dim {self.attention_head_dim} is wider than the narrowest of block_out_channels "
            f"{list(widths)}": self.attention_head_dim > min(widths),
            f"sti_pool {self.sti_pool} must be 1 or more": self.sti_pool < 1,
            f"zero_terminal_snr with prediction_type {self.prediction_type}: of the last step's noise no picture can "
            "be told. Set prediction_type to v_prediction": self.zero_terminal_snr
            and self.prediction_type == "epsilon",
            f"k_min {self.k_min}, k_max {self.k_max} and num_frames {self.num_frames} must be in rising order, k_min "
            "2 or more": not 2 <= self.k_min <= self.k_max <= self.num_frames,
            f"condition_dropout {self.condition_dropout} must be 0 to 1/3, the share of each of three cases": not (
                0 <= self.condition_dropout <= 1 / 3
            ),
            f"word_mask_probability {self.word_mask_probability} must be 0 to 1": not (
                0 <= self.word_mask_probability <= 1
            ),
            f"curriculum_balance {self.curriculum_balance} must be 0 to 1": not 0 <= self.curriculum_balance <= 1,
            f"curriculum_history_steps {self.curriculum_history_steps} must be 1 or more": (
                self.curriculum_history_steps < 1
            ),
            f"curriculum_gains {list(self.curriculum_gains)} must be 0 or more, one of them more": not (
                min(self.curriculum_gains) >= 0 < max(self.curriculum_gains)
            ),
        }
        if found := [fault for fault, is_so in faults.items() if is_so]:
            raise ProtocolError(f"options of rdtf: {'; '.join(found)}")


@dataclass(frozen=True, kw_only=True)
class _Step:
    """What one training step feeds the network, on its device; latents have the network's axes."""

    cases: list[Case]
    latents: Float[Tensor, "B C F H W"]
    image_latents: Float[Tensor, "B C F H W"]
    counted: Float[Tensor, "B F"]
    text: TextStates


class RDTF:
    def __init__(self, config: Config, *, assets: Mapping[str, Path], device: torch.device) -> None:
        self.config, self.device = config, device
        self.autoencoder = load_autoencoder(assets["autoencoder"], device)
        self.text = TextEncoders.read(
            assets["text_encoder"],
            assets["t5_encoder"],
            clip_length=config.clip_length,
            t5_length=config.t5_length,
            device=device,
        )
        self.scheduler = DDIMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule=config.beta_schedule,
            prediction_type=config.prediction_type,
            rescale_betas_zero_snr=config.zero_terminal_snr,
            steps_offset=1,
            set_alpha_to_one=config.beta_schedule == "squaredcos_cap_v2",  # so in I2VGen-XL, not in Stable Diffusion
            clip_sample=False,
        )
        self.network = self._new_network(0)
        self._pixels_per_latent = pixels_per_latent(self.autoencoder.config)
        self._grey_latent: Tensor | None = None

    def _new_network(self, seed: int) -> DFGN:
        clip_dim, t5_dim = self.text.dims
        with seeded(seed, "rdtf", "weights"):
            network = DFGN(cross_attention_dim=clip_dim, t5_dim=t5_dim, **network_options(self.config))
        if self.config.gradient_checkpointing:
            network.enable_gradient_checkpointing()
        return network.to(self.device).eval()

    def fit(self, clips: TrainingClips, training: Training, *, folder: Path, on_step: OnStep) -> None:
        config = self.config
        if training.num_frames != config.num_frames:
            raise ProtocolError(
                f"method rdtf: the protocol's clips have {training.num_frames} frames and the network "
                f"{config.num_frames}. Set the option num_frames to {training.num_frames}"
            )
        self.network = self._new_network(training.seed)
        curriculum = make_curriculum(
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
        extraction = self._extraction(clips)
        parts = {"curriculum": curriculum}
        parameters = dict(self.network.named_parameters())

        def loss_at(step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
            return self._loss_at(step, generator, extraction=extraction, curriculum=curriculum, training=training)

        train(parameters, loss_at, training, folder=folder, on_step=on_step, stateful=parts)

    def _extraction(self, clips: TrainingClips) -> Extraction:
        clustering = self.config.extraction == "clusters"
        return Extraction(clips, clustering=clustering, representative=self.config.representative)

    def _loss_at(
        self,
        step: int,
        generator: torch.Generator,
        *,
        extraction: Extraction,
        curriculum: Curriculum,
        training: Training,
    ) -> tuple[Tensor, dict[str, float]]:
        progress = step / max(training.num_steps - 1, 1)
        indices = batch_indices(len(extraction.clips.ids), training, step)
        given = self._step(extraction, indices, curriculum, progress, generator)
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
        logged = {
            **{f"weight_{family}": weight for family, weight in family_weights(curriculum, progress).items()},
            "expected_level": expected_level(curriculum, progress),
            "realised_level": sum(case.level for case in given.cases) / len(given.cases),
            **curriculum.describe(),
        }
        curriculum.observe(loss.item())
        return loss, logged

    def _step(
        self,
        extraction: Extraction,
        indices: Sequence[int],
        curriculum: Curriculum,
        progress: float,
        generator: torch.Generator,
    ) -> _Step:
        config, clips = self.config, extraction.clips
        size = clips.latents(indices[0]).shape[-2:]
        if config.latent == "sample":
            clips = PosteriorSamples(clips, self.autoencoder, generator)
        available = [len(clips.features(index)) for index in indices]
        cases = draw_cases(curriculum, progress, available, generator)
        masked = masked_clips(
            clips,
            indices,
            cases,
            generator,
            num_frames=config.num_frames,
            extraction=extraction,
            padding=config.padding,
            grey=self._grey(size),
        )
        drops_text, drops_image = _dropped_conditions(len(cases), config.condition_dropout, generator)
        captions = [clips.captions[index] for index in indices]
        shown = [
            mask_words(caption, config.word_mask_probability, generator) if case.uses_text and not drop else ""
            for caption, case, drop in zip(captions, cases, drops_text, strict=True)
        ]
        fresh = [text not in ("", caption) for text, caption in zip(shown, captions, strict=True)]
        latents = masked.latents.transpose(1, 2).to(self.device)
        return _Step(
            cases=cases,
            latents=latents,
            image_latents=latents * _shown_frames(masked, drops_image).to(self.device),
            counted=masked.counted.to(self.device),
            text=self.text.encode_mixed(shown, fresh),
        )

    def _grey(self, size: torch.Size) -> Float[Tensor, "C H W"]:
        """The latent of a frame of zeros, mid-grey."""
        if self._grey_latent is None or self._grey_latent.shape[-2:] != size:
            height, width = (side * self._pixels_per_latent for side in size)
            empty = torch.zeros(1, 1, 3, height, width, device=self.device)
            self._grey_latent = encode(self.autoencoder, empty)[0, 0].cpu()
        return self._grey_latent

    def save(self, folder: Path) -> None:
        self.network.save_pretrained(folder)

    def load(self, folder: Path) -> None:
        defaults = {name: known.default for name, known in inspect.signature(DFGN.__init__).parameters.items()}
        saved = defaults | DFGN.load_config(folder)  # one saved before an option was there has its default
        ours = {k: v for k, v in self.network.config.items() if not k.startswith("_")}
        differing = [name for name in ours if _as_json(saved.get(name)) != _as_json(ours[name])]
        if differing:
            named = ", ".join(f"{name} {saved.get(name)!r} (here {ours[name]!r})" for name in differing)
            raise StoreError(f"{folder}: weights of another network: {named}. Train again, or set these options")
        self.network.load_state_dict(load_file(folder / WEIGHTS, device=str(self.device)), strict=True)

    def generate(self, given: Conditions, generators: Sequence[torch.Generator], sampler: Sampler) -> Video:
        return generate(
            self.network.eval(),
            self.autoencoder,
            self.text,
            self.scheduler,
            captions=given.captions,
            frames=given.frames,
            known=given.known,
            generators=generators,
            sampler=sampler,
            guidance=self.config.guidance,
            negative_prompt=self.config.negative_prompt,
            device=self.device,
        )

    def pipeline(self, *, size_px: int, sampler: Sampler) -> RDTFPipeline:
        """The same networks behind diffusers' interface; a call defaults to this sampler and size."""
        return RDTFPipeline(
            unet=self.network,
            vae=self.autoencoder,
            text_encoder=self.text.clip,
            tokenizer=self.text.clip_tokenizer,
            text_encoder_2=self.text.t5,
            tokenizer_2=self.text.t5_tokenizer,
            scheduler=DDIMScheduler.from_config(self.scheduler.config, timestep_spacing=sampler.timestep_spacing),
            size_px=size_px,
            clip_length=self.config.clip_length,
            t5_length=self.config.t5_length,
            guidance=self.config.guidance,
            negative_prompt=self.config.negative_prompt,
            num_inference_steps=sampler.num_steps,
            guidance_scale=sampler.guidance_text,
            image_guidance_scale=sampler.guidance_image,
            eta=sampler.eta,
        )

    def denoiser(self) -> nn.Module:
        return self.network

    def denoiser_inputs(self, *, batch_size: int, num_frames: int, size_px: int) -> dict[str, Tensor]:
        size = size_px // self._pixels_per_latent
        latents = torch.zeros(batch_size, LATENT_CHANNELS, num_frames, size, size, device=self.device)
        return _forward_inputs(latents, self.text.recall([""] * batch_size))

    def parameter_counts(self) -> dict[str, int]:
        """Nothing of the denoiser is frozen: RDTF has no pretrained base."""
        others = {"autoencoder": self.autoencoder, "text_encoder": self.text.clip, "t5_encoder": self.text.t5}
        return _network_counts(self.network) | {role: frozen.count(network) for role, network in others.items()}


def build(config: Config, *, assets: Mapping[str, Path], device: torch.device) -> RDTF:
    return RDTF(config, assets=assets, device=device)


def parameter_counts(config: Config, configs: Configs) -> dict[str, int]:
    """What `RDTF.parameter_counts` would say, counted on the meta device from the frozen networks' configurations."""
    return _network_counts(denoiser_on_meta(config, configs)) | frozen.parameter_counts(configs, ASSETS)


def denoiser_on_meta(config: Config, configs: Configs) -> DFGN:
    clip_dim, t5_dim = _text_dims(configs)
    with torch.device("meta"):
        return DFGN(cross_attention_dim=clip_dim, t5_dim=t5_dim, **network_options(config))


def denoiser_inputs(
    config: Config, configs: Configs, *, batch_size: int, num_frames: int, size_px: int
) -> dict[str, Tensor]:
    """Keyword arguments of one forward pass, for timing."""
    clip_dim, t5_dim = _text_dims(configs)
    side = size_px // pixels_per_latent(configs["autoencoder"])
    latents = torch.zeros(batch_size, LATENT_CHANNELS, num_frames, side, side)
    clip = torch.zeros(batch_size, config.clip_length, clip_dim)
    return _forward_inputs(latents, TextStates(clip, torch.zeros(batch_size, config.t5_length, t5_dim)))


def _forward_inputs(latents: Float[Tensor, "B C F H W"], text: TextStates) -> dict[str, Tensor]:
    return {
        "sample": latents,
        "timestep": torch.zeros(len(latents), dtype=torch.long, device=latents.device),
        "image_latents": latents,
        "clip_hidden_states": text.clip,
        "t5_hidden_states": text.t5,
    }


def _text_dims(configs: Configs) -> tuple[int, int]:
    return configs["text_encoder"]["hidden_size"], configs["t5_encoder"]["d_model"]


def network_options(config: Config) -> dict[str, Any]:
    """The fields of the configuration that are DFGN's; the widths of the texts' states are the encoders'."""
    known = inspect.signature(DFGN.__init__).parameters
    return {field.name: getattr(config, field.name) for field in fields(config) if field.name in known}


def _network_counts(network: DFGN) -> dict[str, int]:
    trained = frozen.count(network)
    return {"base": 0, "trainable": trained, "total": trained}


def _dropped_conditions(count: int, probability: float, generator: torch.Generator) -> tuple[list[bool], list[bool]]:
    """Which clips go without text and which without image: each alone and both with the same odds (InstructPix2Pix)."""
    draw = torch.rand(count, generator=generator)
    drops_text = draw < 2 * probability
    drops_image = (draw >= probability) & (draw < 3 * probability)
    return drops_text.tolist(), drops_image.tolist()


def _shown_frames(masked: MaskedClips, drops_image: Sequence[bool]) -> Float[Tensor, "B 1 F 1 1"]:
    shown = masked.known * ~torch.tensor(drops_image)[:, None]
    return shown[:, None, :, None, None]


def _as_json(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
