"""Customize-A-Video (arXiv 2402.14780) on I2VGen-XL: LoRA on temporal attention, trained with an appearance absorber.

Stage 1 trains the absorber, a LoRA on spatial attention, on single unordered frames and without temporal layers.
Stage 2 trains the motion LoRA on clips, while the frozen absorber accounts for their appearance. The absorber is
discarded before sampling. The method has no public code, and the LoRA layers are those of PEFT. README.md lists the
choices made here.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from diffusers.models.resnet import TemporalConvLayer
from diffusers.models.transformers.transformer_temporal import TransformerTemporalModel
from peft import LoraConfig, PeftModel, set_peft_model_state_dict
from peft.utils import SAFETENSORS_WEIGHTS_NAME
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from rdtf_bench.baselines.i2vgen_xl import adapter_files
from rdtf_bench.baselines.i2vgen_xl.counting import adapted_counts, base_on_meta, count
from rdtf_bench.baselines.i2vgen_xl.counting import (
    denoiser_inputs as denoiser_inputs,
)  # the same for all three baselines
from rdtf_bench.baselines.i2vgen_xl.examples import Examples
from rdtf_bench.baselines.i2vgen_xl.parts import BaseOptions, Parts, load_parts
from rdtf_bench.baselines.i2vgen_xl.tuning import Known, TunedI2VGenXL, TuningStep, draw_kaiming
from rdtf_bench.baselines.i2vgen_xl.unet import (
    recompute_activations as recompute_activations,
)
from rdtf_bench.core.method import Conditions, Configs, OnStep, Sampler, Training, TrainingClips
from rdtf_bench.core.seeds import generator_for, seed_for
from rdtf_bench.core.store import written_whole
from rdtf_bench.core.video import Video
from rdtf_bench.diffusion.objective import Drawn
from rdtf_bench.diffusion.sampling import Latents
from rdtf_bench.models.rdtf.sti import STI

VERSION = 2
LEARNING_RATE = 5e-4  # from the code of MotionDirector; the method's own value is not published
ASSETS = ("autoencoder", "text_encoder", "image_encoder", "base")
MORE_ASSETS = {("variant", "released"): ("t5_encoder",)}

MOTION, ABSORBER = "motion", "absorber"
_ATTENTION = r"\.transformer_blocks\.\d+\.attn[12]\.(to_q|to_k|to_v|to_out\.0)"
TEMPORAL = r"(transformer_in|.*\.temp_attentions\.\d+)" + _ATTENTION
SPATIAL = r".*\.attentions\.\d+" + _ATTENTION


@dataclass(frozen=True, kw_only=True)
class Config(BaseOptions):
    """Ranks of both LoRAs, and the length and use of the absorber."""

    motion_rank: int = 4  # from the paper's comparison at equal rank
    absorber_rank: int = 4  # the paper gives no value
    # Share of the optimiser steps that train the absorber, so that both stages together cost as much as other methods.
    absorber_share: float = 0.2
    # DEVIATION if True: on a whole domain, discarding the absorber also discards the appearance of the domain.
    keep_absorber: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.motion_rank < 1 or self.absorber_rank < 1 or not 0 <= self.absorber_share < 1:
            raise ValueError(
                "motion_rank and absorber_rank must be at least 1, and absorber_share from 0 to less than 1"
            )


@contextmanager
def without_temporal_layers(network: nn.Module) -> Iterator[None]:
    """Bypass every temporal layer, so that frames do not see each other."""
    layers = _temporal_layers(network)
    for layer in layers:
        layer.forward = _unchanged_output if isinstance(layer, TransformerTemporalModel) else _unchanged
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward


@contextmanager
def with_temporal_layers(network: nn.Module) -> Iterator[None]:
    """Restore the temporal layers, also inside `without_temporal_layers`."""
    bypassed = {layer: layer.forward for layer in _temporal_layers(network) if "forward" in vars(layer)}
    for layer in bypassed:
        del layer.forward
    try:
        yield
    finally:
        for layer, unchanged in bypassed.items():
            layer.forward = unchanged


def _temporal_layers(network: nn.Module) -> list[Any]:
    return [m for m in network.modules() if isinstance(m, TemporalConvLayer | STI | TransformerTemporalModel)]


def _unchanged(hidden_states: Tensor, num_frames: int) -> Tensor:  # noqa: ARG001
    return hidden_states


def _unchanged_output(hidden_states: Tensor, **_: Any) -> tuple[Tensor]:
    return (hidden_states,)


def shuffle_unknown(latents: Latents, known: Known, generator: torch.Generator) -> Latents:
    """Put the unknown frames of each clip in a random order and leave the known frames in their places."""
    places = (1 - known).argsort(dim=1, stable=True)  # the known frames in order, then the others in order
    keys = torch.where(known.bool(), -1.0, torch.rand(known.shape, generator=generator))
    drawn = keys.argsort(dim=1, stable=True)
    source = torch.empty_like(places).scatter_(1, places, drawn)
    return latents[torch.arange(len(latents))[:, None], :, source].movedim(2, 1)


class AbsorberStep(TuningStep):
    """The error of the unknown frames, each denoised independently and in a random place of the clip.

    Use it inside `without_temporal_layers`.
    """

    def clean(self, drawn: Sequence[Drawn], known: Known) -> Latents:
        latents = super().clean(drawn, known)
        return torch.cat(
            [
                shuffle_unknown(latents[row : row + 1], known[row : row + 1], clip.generator)
                for row, clip in enumerate(drawn)
            ]
        )

    def counted(self, known: Known) -> Known:
        return 1 - known


class CustomizeAVideo(TunedI2VGenXL):
    """Customize-A-Video: a frozen I2VGen-XL with a motion LoRA and an appearance absorber."""

    NAME = "customize_a_video"

    def __init__(self, parts: Parts, config: Config) -> None:
        super().__init__(parts, config, version=VERSION)
        self.config: Config = config
        self.network: PeftModel = PeftModel(parts.unet, lora(TEMPORAL, config.motion_rank), adapter_name=MOTION)
        self.network.add_adapter(ABSORBER, lora(SPATIAL, config.absorber_rank))
        self.network.eval()
        self.reset(0)
        self._activate(*self._kept())

    def adapter(self, name: str) -> dict[str, nn.Parameter]:
        """Return the trainable matrices of one LoRA by their paths in the network; `name` is MOTION or ABSORBER."""
        return {path: parameter for path, parameter in self.network.named_parameters() if f".{name}." in path}

    def trainable(self) -> dict[str, nn.Parameter]:
        return self.adapter(MOTION)

    def reset(self, seed: int) -> None:
        """Initialise both LoRAs as PEFT does (Kaiming uniform for A, zeros for B), but from named random seeds."""
        for path, parameter in (self.adapter(MOTION) | self.adapter(ABSORBER)).items():
            if ".lora_B." in path:
                nn.init.zeros_(parameter)
            else:
                draw_kaiming(parameter, generator_for(seed, "init", path))

    def counted(self, known: Known, task: str) -> Known:  # noqa: ARG002
        return torch.ones_like(known)

    def fit(self, clips: TrainingClips, training: Training, *, folder: Path, on_step: OnStep) -> None:
        self.reset(training.seed)
        examples = self.examples(clips, training)
        self.task = training.task
        num_steps = round(training.num_steps * self.config.absorber_share)
        self._fit_absorber(examples, clips, _stage(training, ABSORBER, num_steps), folder / ABSORBER, on_step)
        self._activate(ABSORBER, MOTION)
        self.train(
            TuningStep(self, examples),
            clips,
            _stage(training, MOTION, training.num_steps - num_steps),
            folder=folder / MOTION,
            on_step=lambda step, measured: on_step(num_steps + step, measured),
        )
        self._activate(*self._kept())

    def _fit_absorber(
        self, examples: Examples, clips: TrainingClips, training: Training, folder: Path, on_step: OnStep
    ) -> None:
        """Train the absorber, or load it if an interrupted fit has finished this stage.

        The finished absorber is saved beside the checkpoints.
        """
        finished = folder / "finished.safetensors"
        if not finished.is_file():
            self._activate(ABSORBER)
            # around the whole stage, because gradient checkpointing runs the layers again in the backward pass
            with without_temporal_layers(self.network):
                self.train(AbsorberStep(self, examples), clips, training, folder=folder, on_step=on_step)
            with written_whole(finished) as making:
                save_file({path: parameter.detach() for path, parameter in self.adapter(ABSORBER).items()}, making)
        saved = load_file(finished)
        with torch.no_grad():
            for path, parameter in self.adapter(ABSORBER).items():
                parameter.copy_(saved[path])

    def generate(self, given: Conditions, generators: Sequence[torch.Generator], sampler: Sampler) -> Video:
        """Sample with the layers of the finished method, also during training, when samples show the progress."""
        active = self.active
        self._activate(*self._kept())
        try:
            with with_temporal_layers(self.network):
                return super().generate(given, generators, sampler)
        finally:
            self._activate(*active)

    def _kept(self) -> tuple[str, ...]:
        return (MOTION, ABSORBER) if self.config.keep_absorber else (MOTION,)

    def _activate(self, *names: str) -> None:
        """Use these adapters in the forward pass and make only the last one trainable."""
        self.active = names
        self.network.base_model.set_adapter(list(names))
        for path, parameter in self.network.named_parameters():
            parameter.requires_grad_(f".{names[-1]}." in path)

    def save(self, folder: Path) -> None:
        """Write one folder in PEFT's format for each adapter that sampling uses."""
        self.network.save_pretrained(folder, selected_adapters=list(self._kept()), save_embedding_layers=False)
        (folder / "README.md").unlink()  # PEFT's empty card, in which this machine's path of the base stands
        adapter_files.write_note(folder, self.identity, self.task)

    def load(self, folder: Path) -> None:
        self.task = adapter_files.check_note(folder, self.identity)
        for name in self._kept():
            # PEFT leaves the name of the adapter out of the file
            expected = {path.replace(f".{name}.", "."): parameter for path, parameter in self.adapter(name).items()}
            weights = adapter_files.read_weights(folder / name / SAFETENSORS_WEIGHTS_NAME, expected)
            set_peft_model_state_dict(self.network, weights, adapter_name=name)

    def parameter_counts(self) -> dict[str, int]:
        """Count the parameters. `trainable` is the motion LoRA; `total` has the absorber only if it is kept."""
        counts = super().parameter_counts()
        absorber = count(self.adapter(ABSORBER).values())
        discarded = 0 if self.config.keep_absorber else absorber
        return {**counts, "total": counts["total"] - discarded, ABSORBER: absorber}


def lora(places: str, rank: int) -> LoraConfig:
    """Return the LoRA of this rank at the modules whose names match `places`, with a scale of 1."""
    return LoraConfig(r=rank, lora_alpha=rank, target_modules=places)


def _stage(training: Training, name: str, num_steps: int) -> Training:
    """Return the training of one stage, with a proportional warm-up and its own random seed."""
    share = num_steps / max(training.num_steps, 1)
    return replace(
        training,
        num_steps=num_steps,
        warmup_steps=round(training.warmup_steps * share),
        seed=seed_for(training.seed, name),
    )


def parameter_counts(config: Config, configs: Configs) -> dict[str, int]:
    """Return the same counts as `parameter_counts`, from the configurations of the frozen networks alone."""
    motion = denoiser_on_meta(replace(config, keep_absorber=False), configs)
    counts = adapted_counts(motion, config, configs)
    absorber = count(denoiser_on_meta(replace(config, keep_absorber=True), configs).parameters()) - counts["total"]
    kept = absorber if config.keep_absorber else 0
    return {**counts, "total": counts["total"] + kept, ABSORBER: absorber}


def denoiser_on_meta(config: Config, configs: Configs) -> PeftModel:
    with torch.device("meta"):
        network = PeftModel(base_on_meta(config, configs), lora(TEMPORAL, config.motion_rank), adapter_name=MOTION)
        if config.keep_absorber:
            network.add_adapter(ABSORBER, lora(SPATIAL, config.absorber_rank))
            network.base_model.set_adapter([MOTION, ABSORBER])
    return network


def build(config: Config, *, assets: Mapping[str, Path], device: torch.device) -> CustomizeAVideo:
    return CustomizeAVideo(load_parts(assets, config, device=device), config)
