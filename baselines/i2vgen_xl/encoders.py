"""The frozen networks that turn captions and frames into the conditions of a denoiser: loading and encoding."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional
from transformers import (
    CLIPImageProcessor,
    CLIPTextModel,
    CLIPTokenizer,
    CLIPVisionModelWithProjection,
    PreTrainedTokenizerBase,
)

from rdtf_bench.core.errors import AssetError, ProtocolError
from rdtf_bench.core.video import Video
from rdtf_bench.diffusion.freezing import freeze
from rdtf_bench.diffusion.latents import encode, load_autoencoder
from rdtf_bench.diffusion.loading import load, load_network


@dataclass(frozen=True, kw_only=True)
class Conditioning:
    """Options of the conditions; the defaults are those of the released I2VGen-XL pipeline."""

    text_tokens: int = 77
    # Number of final layers of the text encoder that are skipped.
    clip_skip: int = 1
    # Frame rate that I2VGen-XL is told. The test protocol does not give the rate of a sticker, so all clips get this.
    fps: int = 16
    # Probability that training drops caption and image embedding together, to train the unconditional guidance branch.
    condition_dropout: float = 0.1

    def __post_init__(self) -> None:
        if self.text_tokens < 1 or self.clip_skip < 0 or not 0 <= self.condition_dropout <= 1:
            raise ValueError("text_tokens must be at least 1, clip_skip at least 0, and condition_dropout from 0 to 1")


@dataclass(frozen=True, kw_only=True)
class Encoders:
    """The loaded encoders, frozen and in float32."""

    autoencoder: AutoencoderKL
    tokenizer: CLIPTokenizer
    text_encoder: CLIPTextModel
    image_encoder: CLIPVisionModelWithProjection
    image_processor: CLIPImageProcessor
    device: torch.device

    @torch.no_grad()
    def encode_captions(self, captions: Sequence[str], conditioning: Conditioning) -> Float[Tensor, "B L E"]:
        """Return the states `clip_skip` layers below the last, through the final norm, as in the released pipeline."""
        output = self.text_encoder(
            self.tokens(self.tokenizer, captions, conditioning)["input_ids"], output_hidden_states=True
        )
        states: Tensor = self.text_encoder.final_layer_norm(output.hidden_states[-(conditioning.clip_skip + 1)])
        return states

    def tokens(
        self, tokenizer: PreTrainedTokenizerBase, captions: Sequence[str], conditioning: Conditioning
    ) -> dict[str, Tensor]:
        """Return the token ids and the attention mask of captions on the device, all padded or cut to one length."""
        encoded = tokenizer(
            list(captions),
            padding="max_length",
            max_length=conditioning.text_tokens,
            truncation=True,
            return_tensors="pt",
        )
        return {name: encoded[name].to(self.device) for name in ("input_ids", "attention_mask")}

    @torch.no_grad()
    def embed_images(self, images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B E"]:
        """Return the projected CLIP embedding of images in [-1, 1]."""
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
        """Return the latents of the known frames and zeros for the others, which never reach the autoencoder."""
        chosen = known.bool()
        encoded = encode(self.autoencoder, frames[chosen][:, None].to(self.device))[:, 0]
        latents = encoded.new_zeros(*chosen.shape, *encoded.shape[1:])
        latents[chosen] = encoded
        return latents.movedim(2, 1)


def load_encoders(assets: Mapping[str, Path], conditioning: Conditioning, *, device: torch.device) -> Encoders:
    """Load the encoders. Raises AssetError if one is absent or cannot be loaded.

    The tokenizer is in the folder of the text encoder or, as in the release, beside it. The same holds for the image
    processor.
    """
    check_present(*encoder_configs(assets))
    text, image = assets["text_encoder"], assets["image_encoder"]
    encoders = Encoders(
        autoencoder=load_autoencoder(assets["autoencoder"], device),
        tokenizer=load(CLIPTokenizer, _tokenizer(text)),
        text_encoder=freeze(load_network(CLIPTextModel, text, dtype=torch.float32).to(device)),
        image_encoder=freeze(load_network(CLIPVisionModelWithProjection, image, dtype=torch.float32).to(device)),
        image_processor=load(CLIPImageProcessor, _image_processor(image)),
        device=device,
    )
    _check_text(encoders, conditioning, text)
    return encoders


def encoder_configs(assets: Mapping[str, Path]) -> list[Path]:
    """Return the configuration files of all encoders."""
    return [
        *(assets[role] / "config.json" for role in ("autoencoder", "text_encoder", "image_encoder")),
        _tokenizer(assets["text_encoder"]) / "tokenizer_config.json",
        _image_processor(assets["image_encoder"]) / "preprocessor_config.json",
    ]


def check_present(*configs: Path) -> None:
    """Raise AssetError with the names of all files that are absent."""
    if missing := [str(path) for path in configs if not path.is_file()]:
        raise AssetError(
            f"these files are absent: {', '.join(missing)}. Give all parts of the ali-vilab/i2vgen-xl release that are "
            "needed, each a folder that save_pretrained writes."
        )


def _tokenizer(text_encoder: Path) -> Path:
    return _beside(text_encoder, "tokenizer", "tokenizer_config.json")


def _image_processor(image_encoder: Path) -> Path:
    return _beside(image_encoder, "feature_extractor", "preprocessor_config.json")


def _beside(folder: Path, name: str, file: str) -> Path:
    return folder if (folder / file).is_file() else folder.parent / name


def check_widths(encoders: Encoders, assets: Mapping[str, Path], width: int, needed_by: object) -> None:
    """Raise AssetError unless the states of captions and images have the width of the cross-attention."""
    widths = {
        "text_encoder": encoders.text_encoder.config.hidden_size,
        "image_encoder": encoders.image_encoder.config.projection_dim,
    }
    for role, found in widths.items():
        if found != width:
            raise AssetError(
                f"{assets[role]}: its states have width {found}, but {needed_by} needs width {width} "
                f"(cross_attention_dim). Give the {role} that this network was trained with."
            )


def _check_text(encoders: Encoders, conditioning: Conditioning, folder: Path) -> None:
    """Raise the errors that the text encoder would otherwise raise only when it is first used."""
    config, words = encoders.text_encoder.config, len(encoders.tokenizer)
    if words > config.vocab_size:
        raise AssetError(
            f"{folder}: the embedding has {config.vocab_size} entries (vocab_size), but the tokenizer has {words}. "
            "Give the tokenizer that this text encoder was trained with."
        )
    for option, given, most in (
        ("text_tokens", conditioning.text_tokens, config.max_position_embeddings),
        ("clip_skip", conditioning.clip_skip, config.num_hidden_layers),
    ):
        if given > most:
            raise ProtocolError(
                f"{option}: {given} is more than the {most} that the text encoder in {folder} has. Give {most} or less."
            )
