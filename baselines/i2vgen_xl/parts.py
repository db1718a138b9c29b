"""The frozen networks around the denoiser, loaded from folders, and what they make of captions and pictures.

The pieces are those of the `ali-vilab/i2vgen-xl` release: unet, scheduler, vae, text_encoder, tokenizer, image_encoder,
feature_extractor.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDIMScheduler
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional
from transformers import CLIPImageProcessor, CLIPTextModel, CLIPTokenizer, CLIPVisionModelWithProjection

from rdtf_bench.baselines.i2vgen_xl.unet import AdapterI2VGenXLUNet
from rdtf_bench.core.errors import AssetError
from rdtf_bench.core.video import Video
from rdtf_bench.diffusion.latents import encode


@dataclass(frozen=True, kw_only=True)
class Conditioning:
    """What the base is told besides the known frames; the defaults are those of the released pipeline."""

    text_tokens: int = 77
    clip_skip: int = 1  # states of the text encoder's layer before the last
    fps: int = 16  # a test does not say a sticker's own rate, so all clips get the same
    condition_dropout: float = 0.1  # of caption and image embedding together: the branch that guidance subtracts


@dataclass(frozen=True, kw_only=True)
class Parts:
    unet: AdapterI2VGenXLUNet
    scheduler: DDIMScheduler
    autoencoder: AutoencoderKL
    tokenizer: CLIPTokenizer
    text_encoder: CLIPTextModel
    image_encoder: CLIPVisionModelWithProjection
    image_processor: CLIPImageProcessor
    device: torch.device

    @torch.no_grad()
    def encode_captions(self, captions: Sequence[str], conditioning: Conditioning) -> Float[Tensor, "B L E"]:
        """The states `clip_skip` layers below the last one, through the last norm, as in the released pipeline."""
        encoded = self.tokenizer(
            list(captions),
            padding="max_length",
            max_length=conditioning.text_tokens,
            truncation=True,
            return_tensors="pt",
        )
        output = self.text_encoder(encoded.input_ids.to(self.device), output_hidden_states=True)
        states: Tensor = output.hidden_states[-(conditioning.clip_skip + 1)]
        return self.text_encoder.final_layer_norm(states)

    @torch.no_grad()
    def embed_images(self, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B E"]:
        """CLIP's projected image embedding of frames in [-1, 1]."""
        size_px = self.image_encoder.config.image_size
        images = images.to(self.device)
        if images.shape[-2:] != (size_px, size_px):
            images = functional.interpolate(images, (size_px, size_px), mode="bilinear", antialias=True)
        mean, std = (
            torch.tensor(values, device=self.device)[:, None, None]
            for values in (self.image_processor.image_mean, self.image_processor.image_std)
        )
        embeddings: Tensor = self.image_encoder(((images + 1) / 2 - mean) / std).image_embeds
        return embeddings

    def encode_known(self, frames: Video, known: Float[Tensor, "B F"]) -> Float[Tensor, "B c F h w"]:
        """Latents of the known frames, zeros elsewhere; unknown frames never reach the autoencoder."""
        chosen = known.bool()
        encoded = encode(self.autoencoder, frames[chosen][:, None].to(self.device))[:, 0]
        latents = encoded.new_zeros(*chosen.shape, *encoded.shape[1:])
        latents[chosen] = encoded
        return latents.movedim(2, 1)


def load_parts(assets: Mapping[str, Path], *, device: torch.device) -> Parts:
    """All parts in float32, frozen, in eval mode; raises AssetError for a folder that lacks or misfits something."""
    _check_present(assets)
    base, text, image = assets["base"], assets["text_encoder"], assets["image_encoder"]
    local: dict[str, Any] = {"local_files_only": True}
    parts = Parts(
        unet=_frozen(AdapterI2VGenXLUNet.from_pretrained(base / "unet", torch_dtype=torch.float32, **local), device),
        scheduler=DDIMScheduler.from_pretrained(base / "scheduler", **local),
        autoencoder=_frozen(
            AutoencoderKL.from_pretrained(assets["autoencoder"], torch_dtype=torch.float32, **local), device
        ),
        tokenizer=CLIPTokenizer.from_pretrained(text, **local),
        text_encoder=_frozen(CLIPTextModel.from_pretrained(text, dtype=torch.float32, **local), device),
        image_encoder=_frozen(
            CLIPVisionModelWithProjection.from_pretrained(image, dtype=torch.float32, **local), device
        ),
        image_processor=CLIPImageProcessor.from_pretrained(image, **local),
        device=device,
    )
    _check_fit(parts, assets)
    return parts


def fingerprint(unet: nn.Module) -> str:
    """Names, shapes and the first values of every parameter: enough to tell one base from another in a moment."""
    digest = hashlib.sha256()
    for name, parameter in sorted(unet.named_parameters()):
        digest.update(f"{name} {tuple(parameter.shape)}".encode())
        digest.update(parameter.detach().flatten()[:64].float().cpu().numpy().tobytes())
    return digest.hexdigest()


def _frozen(network: nn.Module, device: torch.device) -> Any:
    # eval mode while fitting too: the base's temporal convolutions have dropout, which would draw from the global
    # random stream, and a frozen function has no use for it
    return network.to(device).eval().requires_grad_(False)


def _check_present(assets: Mapping[str, Path]) -> None:
    configs = [
        assets["base"] / "unet" / "config.json",
        assets["base"] / "scheduler" / "scheduler_config.json",
        *(assets[role] / "config.json" for role in ("autoencoder", "text_encoder", "image_encoder")),
        assets["text_encoder"] / "tokenizer_config.json",
        assets["image_encoder"] / "preprocessor_config.json",
    ]
    if missing := [str(path) for path in configs if not path.is_file()]:
        raise AssetError(
            f"base {assets['base']}: not found: {', '.join(missing)}. A base has the parts of the ali-vilab/i2vgen-xl "
            "release, each a folder that save_pretrained writes. Give complete ones."
        )


def _check_fit(parts: Parts, assets: Mapping[str, Path]) -> None:
    width = parts.unet.config.cross_attention_dim
    widths = {
        "text_encoder": parts.text_encoder.config.hidden_size,
        "image_encoder": parts.image_encoder.config.projection_dim,
    }
    for role, found in widths.items():
        if found != width:
            raise AssetError(
                f"{assets[role]}: its states are {found} wide, but {assets['base'] / 'unet'} was made for {width} "
                f"(cross_attention_dim). Give the {role} that this base was trained with."
            )
    if parts.scheduler.config.prediction_type != "v_prediction":
        raise AssetError(
            f"{assets['base'] / 'scheduler'}: prediction_type is {parts.scheduler.config.prediction_type!r}; I2VGen-XL "
            "predicts v. Give the scheduler of the release (v_prediction)."
        )
