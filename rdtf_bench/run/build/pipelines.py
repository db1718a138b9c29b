"""Samples clips with an image-to-video pipeline of diffusers; the signature of its call says what it is given."""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import torch
from jaxtyping import Float
from safetensors import SafetensorError
from torch import Tensor, nn
from transformers import CLIPTextModel

from rdtf_bench.core.errors import AssetError, InputError, ProtocolError, SamplingError
from rdtf_bench.core.method import Conditions
from rdtf_bench.core.seeds import seeded
from rdtf_bench.core.video import Video
from rdtf_bench.diffusion.masks import TASKS, Task, task_named
from rdtf_bench.run.build import frames
from rdtf_bench.spec.identities import PipelineSamples
from rdtf_bench.spec.plan import Cell

NEEDED = ("image", "num_frames", "generator")
"""Arguments that the call of an image-to-video pipeline must have."""
DENOISERS = ("unet", "transformer", "transformer_2")
"""Names of the parts that diffusers calls at the sampling steps."""
LOADING = (OSError, ValueError, KeyError, RuntimeError, ImportError, SafetensorError)
"""What diffusers raises for files that it cannot load."""
CALLING = (ValueError, TypeError, RuntimeError, AttributeError, LookupError, ArithmeticError, ImportError)
"""What a pipeline raises for arguments that it cannot work with, or for a library that it lacks."""


def check(cells: Sequence[Cell]) -> None:
    """Raise ProtocolError for the first row whose pipeline cannot sample the table's clips."""
    for cell in cells:
        if isinstance(cell.sample, PipelineSamples):
            _require_first_frame(cell.sample, cell.label)
            _require_arguments(cell.sample, cell.label)


def named(name: str, label: str) -> type[Any]:
    """Return the class of a pipeline; ProtocolError if diffusers has none of this name."""
    found = getattr(diffusers, name, None)
    if not inspect.isclass(found) or not issubclass(found, diffusers.DiffusionPipeline):
        raise ProtocolError(
            f"{label}: diffusers {diffusers.__version__} has no pipeline {name!r}. A newer version may have it: "
            "pip install --upgrade diffusers"
        )
    return found


def parameters(kind: type[Any]) -> Mapping[str, inspect.Parameter]:
    """Return the arguments of a pipeline's call by name."""
    taken = dict(inspect.signature(kind.__call__).parameters)
    return {name: one for name, one in taken.items() if name != "self" and one.kind is not one.VAR_KEYWORD}


def _require_first_frame(sample: PipelineSamples, label: str) -> None:
    num_frames = sample.real.num_frames

    def gives_it(task: Task) -> bool:
        masks = task.evaluated(num_frames)
        return bool(masks) and all(mask[0] for mask in masks)

    if not gives_it(task_named(sample.task)):
        fit = ", ".join(name for name, task in TASKS.items() if gives_it(task))
        raise ProtocolError(
            f"{label}: an image-to-video pipeline needs the first frame of every clip, and the task {sample.task!r} "
            f"does not give it. Tasks that do: {fit}."
        )


def _require_arguments(sample: PipelineSamples, label: str) -> None:
    name, given = sample.pipeline_class, sample.settings.call
    taken = parameters(named(name, label))
    if lacking := [argument for argument in NEEDED if argument not in taken]:
        raise ProtocolError(
            f"{label}: {name} is no image-to-video pipeline: its call has no {', '.join(map(repr, lacking))}. It has "
            f"{', '.join(taken)}."
        )
    if unknown := [argument for argument in given if argument not in taken]:
        raise ProtocolError(
            f"{label}: the call of {name} has no {', '.join(map(repr, unknown))}, which `call` gives. It has "
            f"{', '.join(taken)}."
        )
    required = [argument for argument, one in taken.items() if one.default is one.empty]
    if absent := [argument for argument in required if argument not in (*NEEDED, "prompt", *given)]:
        raise ProtocolError(
            f"{label}: the call of {name} also needs {', '.join(map(repr, absent))}. Give them under `call` in a YAML "
            "file (--pipeline FILE); what a file cannot hold cannot be given, such as a second video."
        )


@dataclass(frozen=True)
class PipelineSampler:
    """A loaded pipeline, which samples one clip per call."""

    pipeline: Any
    sample: PipelineSamples
    label: str

    def generate(self, given: Conditions, generators: Sequence[torch.Generator]) -> Video:
        """Sample one video per clip from its first frame and its caption."""
        videos = [
            self._one(clip_id, caption, given.frames[place, 0], generator)
            for place, (clip_id, caption, generator) in enumerate(
                zip(given.clip_ids, given.captions, generators, strict=True)
            )
        ]
        return torch.stack(videos)

    def facts(self) -> dict[str, object]:
        """Return what a record keeps of the pipeline: its class, the arguments of its calls and its sizes."""
        call = {name: value for name, value in self._call().items() if isinstance(value, int | float | str | bool)}
        modules = {name: part for name, part in self.pipeline.components.items() if isinstance(part, nn.Module)}
        counts = {name: sum(one.numel() for one in part.parameters()) for name, part in modules.items()}
        total = sum(count for name, count in counts.items() if name in DENOISERS)
        others = {name: count for name, count in counts.items() if name not in DENOISERS}
        return {
            "class": type(self.pipeline).__name__,
            "diffusers": diffusers.__version__,
            "fingerprint": self.sample.pipeline,
            "call": call,
            "sees_caption": "prompt" in self._taken() and task_named(self.sample.task).uses_text,
            "components": {"base": total, "trainable": 0, "total": total, **others},
        }

    def _taken(self) -> Mapping[str, inspect.Parameter]:
        return parameters(type(self.pipeline))

    def _call(self) -> dict[str, object]:
        """Return the arguments that are the same for every clip, of those that the pipeline takes."""
        settings, size_px = self.sample.settings, self.sample.real.size_px
        wanted = settings.num_frames or _num_frames(self.pipeline, self.sample.real.num_frames)
        offered: dict[str, object] = {
            "height": settings.height or size_px,
            "width": settings.width or size_px,
            "num_frames": wanted,
            "num_inference_steps": self.sample.num_steps,
            "output_type": "np",
        }
        extra = {name: list(value) if isinstance(value, tuple) else value for name, value in settings.call.items()}
        return {**{name: value for name, value in offered.items() if name in self._taken()}, **extra}

    def _one(
        self, clip_id: str, caption: str, first: Float[Tensor, "C H W"], generator: torch.Generator
    ) -> Float[Tensor, "F C H W"]:
        settings, shape = self.sample.settings, self.sample.real
        height, width = settings.height or shape.size_px, settings.width or shape.size_px
        call = {"image": frames.picture(first, height, width, settings.resize), "generator": generator, **self._call()}
        if "prompt" in self._taken():
            call["prompt"] = caption
        # some pipelines draw from the global generator too, such as I2VGenXL where it encodes the given frame
        with seeded(self.sample.seed, clip_id, "pipeline", device=self.pipeline.device):
            made = frames.made(self._called(call), self.label)
        if len(made) < shape.num_frames:
            raise InputError(
                f"{self.label}: {type(self.pipeline).__name__} made {len(made)} frames, and clips of this scale have "
                f"{shape.num_frames}. Set a larger num_frames in a YAML file: --pipeline FILE"
            )
        if not bool(made.isfinite().all()):
            raise SamplingError(
                f"{self.label}: the pipeline made pixels that are not numbers, from the clip {clip_id}. Its networks "
                f"were computed in {settings.dtype}; set another dtype in a YAML file: --pipeline FILE"
            )
        chosen = made[list(frames.places(len(made), shape.num_frames, settings.frames))]
        return frames.squared(chosen, shape.size_px, settings.resize) * 2 - 1

    def _called(self, call: dict[str, object]) -> object:
        try:
            return self.pipeline(**call).frames
        except torch.OutOfMemoryError:
            raise
        except CALLING as fault:
            reason = str(fault).rstrip(".")
            told = ", ".join(f"{name}={value}" for name, value in self._call().items())
            raise InputError(
                f"{self.label}: {type(self.pipeline).__name__} could not sample: {reason}. It was called with {told}. "
                "Set other values in a YAML file: --pipeline FILE"
            ) from fault


def load(folder: Path, sample: PipelineSamples, label: str, device: torch.device) -> PipelineSampler:
    """Load a pipeline from its folder; AssetError for files that diffusers cannot load."""
    dtype = getattr(torch, sample.settings.dtype)
    try:
        pipeline = named(sample.pipeline_class, label).from_pretrained(folder, dtype=dtype, local_files_only=True)
    except LOADING as fault:
        raise AssetError(
            f"{label}: diffusers {diffusers.__version__} cannot load {folder}: {fault}. Save or download the pipeline "
            "again, or install what it lacks."
        ) from fault
    pipeline.set_progress_bar_config(disable=True)
    _give_text_model(pipeline)
    return PipelineSampler(pipeline.to(device), sample, label)


def _give_text_model(pipeline: Any) -> None:
    """Let diffusers find the last normalization of a CLIP text encoder, which it needs to skip layers (`clip_skip`).

    It looks below `text_model`, where transformers had it before version 5; now the encoder itself holds it.
    """
    encoder = getattr(pipeline, "text_encoder", None)
    if isinstance(encoder, CLIPTextModel) and not hasattr(encoder, "text_model"):
        object.__setattr__(encoder, "text_model", encoder)  # not as a module, which would be a part of itself


def _num_frames(pipeline: Any, wanted: int) -> int:
    """Return the smallest number of frames that a temporal autoencoder can make and that is not below `wanted`.

    An autoencoder that compresses time makes one frame, and `ratio` more for every further latent.
    """
    names = ("vae_scale_factor_temporal", "vae_temporal_compression_ratio")  # as the pipelines of diffusers call it
    ratio = next((int(getattr(pipeline, name)) for name in names if hasattr(pipeline, name)), 1)
    return -(-(wanted - 1) // ratio) * ratio + 1
