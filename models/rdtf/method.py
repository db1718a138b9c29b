"""RDTF: trained from scratch with a dual mask and a curriculum, and sampled with two guidance scales."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
from diffusers import DDIMScheduler
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor, nn

from rdtf_bench.core.errors import ProtocolError, StoreError
from rdtf_bench.core.method import Conditions, Configs, OnStep, Sampler, Training, TrainingClips
from rdtf_bench.core.seeds import seeded
from rdtf_bench.core.video import Video
from rdtf_bench.diffusion.latents import load_autoencoder, pixels_per_latent
from rdtf_bench.diffusion.objective import train_on_clips
from rdtf_bench.models import frozen
from rdtf_bench.models.rdtf.config import Config as Config
from rdtf_bench.models.rdtf.dfgn import DFGN, LATENT_CHANNELS, WEIGHTS
from rdtf_bench.models.rdtf.generation import generate
from rdtf_bench.models.rdtf.pipeline import RDTFPipeline
from rdtf_bench.models.rdtf.text import TextEncoders, TextStates
from rdtf_bench.models.rdtf.training import TrainingStep

VERSION = 3
ASSETS = ("autoencoder", "text_encoder", "t5_encoder")
SERVES_EVERY_TASK_UNLESS = ("condition_masks", "task")


class RDTF:
    """RDTF behind the contract of `core.method.Method`."""

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
            set_alpha_to_one=config.beta_schedule == "squaredcos_cap_v2",  # as I2VGen-XL, unlike Stable Diffusion
            clip_sample=False,
        )
        self.network = self._new_network(0)
        self._pixels_per_latent = pixels_per_latent(self.autoencoder.config)

    def _new_network(self, seed: int) -> DFGN:
        clip_dim, t5_dim = self.text.dims
        with seeded(seed, "rdtf", "weights"):
            network = DFGN(cross_attention_dim=clip_dim, t5_dim=t5_dim, **network_options(self.config))
        return network.to(self.device).eval()

    def fit(self, clips: TrainingClips, training: Training, *, folder: Path, on_step: OnStep) -> None:
        config = self.config
        if training.num_frames != config.num_frames:
            raise ProtocolError(
                f"method rdtf: the clips of the protocol have {training.num_frames} frames, but the network has "
                f"{config.num_frames}. Set the option num_frames to {training.num_frames}"
            )
        self.network = self._new_network(training.seed)
        if training.gradient_checkpointing:
            self.network.enable_gradient_checkpointing()
        step = self._training_step(clips, training)
        parameters = dict(self.network.named_parameters())
        parts = {"curriculum": step.curriculum}
        train_on_clips(step, parameters, clips, training, folder=folder, on_step=on_step, stateful=parts)

    def _training_step(self, clips: TrainingClips, training: Training) -> TrainingStep:
        return TrainingStep(
            self.config,
            training,
            clips,
            network=self.network,
            autoencoder=self.autoencoder,
            text=self.text,
            scheduler=self.scheduler,
            device=self.device,
        )

    def save(self, folder: Path) -> None:
        self.network.save_pretrained(folder)

    def load(self, folder: Path) -> None:
        defaults = {name: known.default for name, known in inspect.signature(DFGN.__init__).parameters.items()}
        saved = defaults | DFGN.load_config(folder)  # an option that is newer than the saved network has its default
        ours = {k: v for k, v in self.network.config.items() if not k.startswith("_")}
        differing = [name for name in ours if _as_json(saved.get(name)) != _as_json(ours[name])]
        if differing:
            named = ", ".join(f"{name} {saved.get(name)!r} (here {ours[name]!r})" for name in differing)
            raise StoreError(
                f"{folder}: the weights belong to a network with other options: {named}. Set these options, or train "
                "again"
            )
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
        """Return a diffusers pipeline of the same networks, with this sampler and size as its defaults."""
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
        """Count the parameters. `base` is 0, because RDTF has no pretrained base."""
        others = {"autoencoder": self.autoencoder, "text_encoder": self.text.clip, "t5_encoder": self.text.t5}
        return _network_counts(self.network) | {role: frozen.count(network) for role, network in others.items()}


def build(config: Config, *, assets: Mapping[str, Path], device: torch.device) -> RDTF:
    return RDTF(config, assets=assets, device=device)


def parameter_counts(config: Config, configs: Configs) -> dict[str, int]:
    """Return the same counts as `parameter_counts`, from the configurations of the frozen networks alone."""
    return _network_counts(denoiser_on_meta(config, configs)) | frozen.parameter_counts(configs, ASSETS)


def denoiser_on_meta(config: Config, configs: Configs) -> DFGN:
    """Build the denoiser on the meta device, for counting."""
    clip_dim, t5_dim = _text_dims(configs)
    with torch.device("meta"):
        return DFGN(cross_attention_dim=clip_dim, t5_dim=t5_dim, **network_options(config))


def recompute_activations(denoiser: nn.Module) -> None:
    """Switch gradient checkpointing on."""
    assert isinstance(denoiser, DFGN)
    denoiser.enable_gradient_checkpointing()


def denoiser_inputs(
    config: Config, configs: Configs, *, batch_size: int, num_frames: int, size_px: int
) -> dict[str, Tensor]:
    """Return the keyword arguments of one forward pass, for timing."""
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
    """Return the fields of the configuration that are options of DFGN."""
    known = inspect.signature(DFGN.__init__).parameters
    return {field.name: getattr(config, field.name) for field in fields(config) if field.name in known}


def _network_counts(network: DFGN) -> dict[str, int]:
    trained = frozen.count(network)
    return {"base": 0, "trainable": trained, "total": trained}


def _as_json(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
