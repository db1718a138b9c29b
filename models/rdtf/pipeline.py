"""RDTF as a diffusers pipeline that makes an animated sticker from known frames and a caption."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler, DiffusionPipeline
from diffusers.utils import BaseOutput
from diffusers.video_processor import VideoProcessor
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer, PreTrainedTokenizerBase, T5EncoderModel

from rdtf_bench.core.errors import InputError
from rdtf_bench.core.method import Sampler
from rdtf_bench.core.video import require_finite
from rdtf_bench.data.reading.images import stills
from rdtf_bench.diffusion.freezing import freeze
from rdtf_bench.diffusion.latents import pixels_per_latent
from rdtf_bench.models.rdtf.dfgn import DFGN
from rdtf_bench.models.rdtf.generation import Guidance, generate
from rdtf_bench.models.rdtf.text import TextEncoders


@dataclass
class RDTFPipelineOutput(BaseOutput):  # type: ignore[misc]
    """One entry per prompt: a list of Pillow images ("pil"), or an array F H W C ("np") or F C H W ("pt") in 0..1."""

    frames: Any


class RDTFPipeline(DiffusionPipeline):  # type: ignore[misc]
    """Generate stickers for every task with one set of weights; `known` and `prompt` of a call decide the task.

    size_px: the side of the square frames that the network was trained on.
    clip_length, t5_length: number of tokens of the CLIP and the T5 encoder. guidance: see `config.Config`.
    num_inference_steps, guidance_scale (of the text), image_guidance_scale, eta: the defaults of a call.
    """

    model_cpu_offload_seq = "text_encoder->text_encoder_2->unet->vae"

    def __init__(
        self,
        unet: DFGN,
        vae: AutoencoderKL,
        text_encoder: CLIPTextModel,
        tokenizer: CLIPTokenizer,
        text_encoder_2: T5EncoderModel,
        tokenizer_2: PreTrainedTokenizerBase,
        scheduler: DDIMScheduler,
        size_px: int = 256,
        clip_length: int = 77,
        t5_length: int = 77,
        guidance: Guidance = "two_scales",
        negative_prompt: str = "",
        num_inference_steps: int = 25,
        guidance_scale: float = 7.5,
        image_guidance_scale: float = 7.5,
        eta: float = 1.0,
    ) -> None:
        super().__init__()
        self.register_modules(
            unet=unet,  # not frozen: a method shares its denoiser with the pipeline, and may train it further
            vae=freeze(vae),
            text_encoder=freeze(text_encoder),
            tokenizer=tokenizer,
            text_encoder_2=freeze(text_encoder_2),
            tokenizer_2=tokenizer_2,
            scheduler=scheduler,
        )
        self.register_to_config(
            size_px=size_px,
            clip_length=clip_length,
            t5_length=t5_length,
            guidance=guidance,
            negative_prompt=negative_prompt,
            num_inference_steps=num_inference_steps,
            guidance_scale=guidance_scale,
            image_guidance_scale=image_guidance_scale,
            eta=eta,
        )
        self.video_processor = VideoProcessor(vae_scale_factor=pixels_per_latent(vae.config), resample="bicubic")

    @torch.no_grad()
    def __call__(
        self,
        prompt: str | Sequence[str] = "",
        image: Any = None,
        known: Sequence[int] | Tensor | None = None,
        num_frames: int | None = None,
        generator: torch.Generator | Sequence[torch.Generator] | None = None,
        num_inference_steps: int | None = None,
        guidance_scale: float | None = None,
        image_guidance_scale: float | None = None,
        eta: float | None = None,
        output_type: str = "pil",
        return_dict: bool = True,
    ) -> RDTFPipelineOutput | tuple[Any]:
        """Generate one clip of `num_frames` frames per prompt (default: as many as the network has).

        image: a Pillow image or a list of them: the known frames in order, or one image per frame of the clip.
        known: a mask over the clip, 1 where the frame is given (Table 7). By default the images are the first frames.
        generator: a CPU generator for all prompts, or one CPU generator per prompt.
        Raises InputError before any computation if the arguments do not fit together.
        """
        prompts = [prompt] if isinstance(prompt, str) else list(prompt)
        images = [] if image is None else list(image) if isinstance(image, list | tuple) else [image]
        count = _num_frames(num_frames, self.unet.config.num_frames)
        mask = _mask(known, count, num_images=len(images))
        _check(prompts, images, mask, output_type)
        frames = self._frames(images, mask)
        size = (len(prompts), *frames.shape)
        video = generate(
            self.unet.eval(),
            self.vae,
            self._text(),
            self.scheduler,
            captions=prompts,
            frames=frames.expand(size),
            known=torch.tensor(self._padded(mask), dtype=torch.float32).expand(len(prompts), -1),
            generators=_generators(generator, len(prompts)),
            sampler=self._sampler(num_inference_steps, guidance_scale, image_guidance_scale, eta),
            guidance=self.config.guidance,
            negative_prompt=self.config.negative_prompt,
            device=self._execution_device,
        )
        self.maybe_free_model_hooks()
        require_finite(video)
        made = self.video_processor.postprocess_video(video[:, :count].transpose(1, 2).cpu(), output_type=output_type)
        return RDTFPipelineOutput(frames=made) if return_dict else (made,)

    def _sampler(
        self, num_steps: int | None, guidance_text: float | None, guidance_image: float | None, eta: float | None
    ) -> Sampler:
        own, most = self.config, self.scheduler.config.num_train_timesteps
        steps = own.num_inference_steps if num_steps is None else num_steps
        if not 1 <= steps <= most:
            raise InputError(f"num_inference_steps: {steps} steps were asked for; give 1 to {most}")
        return Sampler(
            num_steps=steps,
            timestep_spacing=self.scheduler.config.timestep_spacing,
            eta=own.eta if eta is None else eta,
            guidance_text=own.guidance_scale if guidance_text is None else guidance_text,
            guidance_image=own.image_guidance_scale if guidance_image is None else guidance_image,
        )

    def _text(self) -> TextEncoders:
        return TextEncoders(
            self.text_encoder,
            self.text_encoder_2,
            clip_tokenizer=self.tokenizer,
            t5_tokenizer=self.tokenizer_2,
            clip_length=self.config.clip_length,
            t5_length=self.config.t5_length,
            device=self._execution_device,
        )

    def _padded(self, mask: Sequence[int]) -> list[int]:
        """Extend the mask to all frames of the network; the frames behind the clip are generated and discarded."""
        return [*mask, *(0 for _ in range(self.unet.config.num_frames - len(mask)))]

    def _frames(self, images: Sequence[Any], mask: Sequence[int]) -> Float[Tensor, "F C H W"]:
        """Return the known frames in their places, in [-1, 1], and zeros for the other frames."""
        size_px = self.config.size_px
        frames = torch.zeros(self.unet.config.num_frames, 3, size_px, size_px)
        places = [place for place, is_known in enumerate(mask) if is_known]
        chosen = [images[place] for place in places] if len(images) == len(mask) else images
        for place, image in zip(places, chosen, strict=True):
            frames[place] = self.video_processor.preprocess(_on_white(image), height=size_px, width=size_px)[0]
        return frames


def _num_frames(asked: int | None, most: int) -> int:
    if asked is None:
        return most
    if not 1 <= asked <= most:
        raise InputError(f"num_frames: {asked} frames were asked for, but this network makes 1 to {most}")
    return asked


def _mask(known: Sequence[int] | Tensor | None, num_frames: int, *, num_images: int) -> list[int]:
    if known is None:
        if num_images > num_frames:
            raise InputError(f"image: {num_images} images were given for a clip of {num_frames} frames; give fewer")
        return [int(place < num_images) for place in range(num_frames)]
    if len(known) != num_frames:
        raise InputError(
            f"known: the mask has {len(known)} values but the clip has {num_frames} frames; give one value per frame"
        )
    if any(value not in (0, 1) for value in known):
        raise InputError(f"known: {list(known)} is not a mask; give 1 for each known frame and 0 for any other")
    return [int(value) for value in known]


def _check(prompts: Sequence[str], images: Sequence[Any], mask: Sequence[int], output_type: str) -> None:
    if not prompts:
        raise InputError("prompt: an empty list was given; give a text or a list of texts")
    if not any(mask) and not all(prompt.strip() for prompt in prompts):
        raise InputError("prompt, image: neither a known frame nor a text was given; give a prompt or an image")
    wanted = sum(mask)
    if len(images) not in (wanted, len(mask)) or (images and not wanted):
        raise InputError(
            f"image: {len(images)} images were given, but the mask has {wanted} known frames of {len(mask)}; give the "
            "known frames in order, or one image per frame"
        )
    if output_type not in ("pil", "np", "pt"):
        raise InputError(f"output_type: there is no {output_type!r}; give pil, np or pt")


def _generators(generator: torch.Generator | Sequence[torch.Generator] | None, count: int) -> Sequence[torch.Generator]:
    if generator is None:
        generator = torch.Generator()
        generator.seed()
    generators = [generator] * count if isinstance(generator, torch.Generator) else generator
    if len(generators) != count:
        raise InputError(
            f"generator: {len(generators)} generators were given for {count} prompts; give one, or one per prompt"
        )
    if elsewhere := [one.device.type for one in generators if one.device.type != "cpu"]:
        raise InputError(
            f"generator: its device is {elsewhere[0]}, but noise is drawn on the CPU, so that a seed gives the same "
            "noise on every device; give torch.Generator()"
        )
    return generators


def _on_white(image: Any) -> Any:
    """Make a Pillow image what the training data are: upright, 8 bits, transparent pixels white."""
    return stills.shown(image) if isinstance(image, Image.Image) else image
