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
from rdtf_bench.core.video import to_uint8, to_unit
from rdtf_bench.diffusion.latents import encode
from tests.baselines.small_base import FIRST, Build, conditions, write_image_encoder

Noise = Float[Tensor, "1 C F H W"]


def sampler(guidance: float) -> Sampler:
    return Sampler(num_steps=4, timestep_spacing="leading", eta=0.0, guidance_text=guidance, guidance_image=1.0)


@pytest.fixture(scope="module")
def plain(assets: Mapping[str, Path]) -> I2VGenXLUNet:
    return I2VGenXLUNet.from_pretrained(assets["base"] / "unet").eval().requires_grad_(False)


@pytest.fixture(scope="module")
def noise() -> Noise:
    return torch.randn(1, 4, 8, 8, 8, generator=torch.Generator().manual_seed(5))


def of_pipeline(
    kind: type[I2VGenXLPipeline],
    method: tuning.TunedI2VGenXL,
    unet: I2VGenXLUNet,
    given: Conditions,
    noise: Noise,
    guidance: float,
) -> Noise:
    parts = method.parts
    pipeline = kind(
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
    latents: Tensor = pipeline(
        image=Image.fromarray(to_uint8(given.frames)[0, 0].movedim(0, -1).numpy()),
        height=64,
        width=64,
        num_frames=8,
        target_fps=method.config.fps,
        num_inference_steps=sampler(guidance).num_steps,
        guidance_scale=guidance,
        latents=noise,
        prompt_embeds=states[:1],
        negative_prompt_embeds=states[1:],
        output_type="latent",
    ).frames
    return latents


def of_ours(method: tuning.TunedI2VGenXL, given: Conditions, guidance: float, monkeypatch: pytest.MonkeyPatch) -> Noise:
    """Sample from the noise of the fixture's seed."""
    sampled: list[Tensor] = []

    def keep(_: Any, latents: Tensor) -> Tensor:
        sampled.append(latents)
        return given.frames

    monkeypatch.setattr(tuning, "decode", keep)
    method.generate(given, [torch.Generator().manual_seed(5)], sampler(guidance))
    return sampled[0].movedim(2, 1)


@pytest.mark.parametrize("guidance", [1.0, 3.0])
def test_before_training_a_baseline_samples_as_diffusers_pipeline_does(
    build: Build,
    plain: I2VGenXLUNet,
    noise: Noise,
    guidance: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The picture's embedding and latents are given to the pipeline ready-made; the next test lets it make them.
    It writes planes as k / 7 and we by linspace, which rounds one of them otherwise."""
    method = build(simda)
    given = conditions(FIRST)
    embedding = method.parts.embed_images(given.frames[:, 0])[:, None]
    first = encode(method.parts.autoencoder, given.frames[:, :1]).movedim(2, 1)
    image_latents = torch.cat(
        [first, *(torch.full_like(first, float(plane)) for plane in torch.linspace(0, 1, 8)[1:])], dim=2
    )

    class ReadyMade(I2VGenXLPipeline):  # type: ignore[misc]
        def _encode_image(self, *_: Any) -> Tensor:
            guided = self.do_classifier_free_guidance
            return torch.cat([torch.zeros_like(embedding), embedding]) if guided else embedding

        def prepare_image_latents(self, *_: Any, **__: Any) -> Tensor:
            return torch.cat([image_latents] * (2 if self.do_classifier_free_guidance else 1))

    expected = of_pipeline(ReadyMade, method, plain, given, noise, guidance)
    found = of_ours(method, given, guidance, monkeypatch)
    # latents are of order 4 and differ in the last bits: keys and values are made once per clip, for which a BLAS may
    # take another kernel, and guidance is two weighted branches and not one plus a difference
    torch.testing.assert_close(found, expected, atol=2e-5, rtol=0)


def test_from_a_picture_on_too(
    build: Build,
    assets: Mapping[str, Path],
    plain: I2VGenXLUNet,
    noise: Noise,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # an image encoder of the clip's own size: the pipeline resizes in PIL, which rounds to grey levels
    write_image_encoder(tmp_path, tmp_path, size_px=64)
    method = build(simda, given={**assets, "image_encoder": tmp_path})
    with (
        torch.no_grad()
    ):  # the pipeline samples the autoencoder's posterior, we take its mode: no variance, no difference
        method.parts.autoencoder.quant_conv.weight[4:] = 0
        method.parts.autoencoder.quant_conv.bias[4:] = -30
    drawn = conditions(FIRST)
    given = Conditions(
        clip_ids=drawn.clip_ids,
        captions=drawn.captions,
        frames=to_unit(to_uint8(drawn.frames)) * drawn.known[:, :, None, None, None],
        known=drawn.known,
    )
    expected = of_pipeline(I2VGenXLPipeline, method, plain, given, noise, 3.0)
    found = of_ours(method, given, 3.0, monkeypatch)
    # pixels are u / 255 there and u / 127.5 - 1 here, which is rounded once more
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
