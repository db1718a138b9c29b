"""Our sampling against diffusers' own pipeline of I2VGen-XL."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import I2VGenXLPipeline, I2VGenXLUNet
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from rdtf_bench.baselines import simda
from rdtf_bench.baselines.i2vgen_xl import tuning
from rdtf_bench.core.method import Conditions, Sampler
from rdtf_bench.diffusion.latents import encode
from tests.baselines.small_base import FIRST, Build, conditions

SAMPLER = Sampler(num_steps=4, timestep_spacing="leading", eta=0.0, guidance_text=3.0, guidance_image=3.0)


def of_pipeline(
    method: tuning.TunedI2VGenXL, unet: I2VGenXLUNet, given: Conditions, noise: Float[Tensor, "1 C F H W"]
) -> Float[Tensor, "1 C F H W"]:
    """The pipeline takes a PIL image and samples the autoencoder's posterior: both are given to it ready-made."""
    parts = method.parts
    frame = given.frames[:, :1]
    embedding = parts.embed_images(frame[:, 0])[:, None]
    first = encode(parts.autoencoder, frame).movedim(2, 1)
    planes = [torch.full_like(first, place / 7) for place in range(1, 8)]

    class Pipeline(I2VGenXLPipeline):  # type: ignore[misc]
        def _encode_image(self, *_: Any) -> Tensor:
            return torch.cat([torch.zeros_like(embedding), embedding])

        def prepare_image_latents(self, *_: Any, **__: Any) -> Tensor:
            return torch.cat([torch.cat([first, *planes], dim=2)] * 2)

    pipeline = Pipeline(
        vae=parts.autoencoder,
        text_encoder=parts.text_encoder,
        tokenizer=parts.tokenizer,
        image_encoder=parts.image_encoder,
        feature_extractor=parts.image_processor,
        unet=unet,
        scheduler=parts.scheduler,
    )
    pipeline.set_progress_bar_config(disable=True)
    states = parts.encode_captions([*given.captions, ""], method.config)
    made = pipeline(
        image=Image.new("RGB", (64, 64)),
        height=64,
        width=64,
        num_frames=8,
        target_fps=method.config.fps,
        num_inference_steps=SAMPLER.num_steps,
        guidance_scale=SAMPLER.guidance_text,
        latents=noise,
        prompt_embeds=states[:1],
        negative_prompt_embeds=states[1:],
        output_type="latent",
    )
    latents: Tensor = made.frames
    return latents


def test_before_training_a_baseline_samples_as_diffusers_pipeline_does(
    build: Build, assets: Mapping[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    method = build(simda)
    unet = I2VGenXLUNet.from_pretrained(assets["base"] / "unet").eval().requires_grad_(False)
    given = conditions(FIRST)
    noise = torch.randn(1, 4, 8, 8, 8, generator=torch.Generator().manual_seed(5))
    expected = of_pipeline(method, unet, given, noise)
    sampled: list[Tensor] = []

    def keep(_: Any, latents: Tensor) -> Tensor:
        sampled.append(latents)
        return given.frames

    monkeypatch.setattr(tuning, "decode", keep)
    method.generate(given, [torch.Generator().manual_seed(5)], SAMPLER)
    # guidance as two weighted branches and not as one plus a difference: latents of order 4 differ in the last bits
    torch.testing.assert_close(sampled[0].movedim(2, 1), expected, atol=2e-5, rtol=0)
