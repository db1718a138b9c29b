"""Loading of the parts of I2VGen-XL from folders, and encoding of captions and frames with the frozen networks.

The parts are those of the `ali-vilab/i2vgen-xl` release: unet, scheduler, vae, text_encoder, tokenizer, image_encoder,
feature_extractor.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from diffusers import AutoencoderKL, DDIMScheduler, I2VGenXLUNet
from huggingface_hub.errors import StrictDataclassError
from jaxtyping import Float
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.nn import functional
from transformers import (
    AutoTokenizer,
    CLIPImageProcessor,
    CLIPTextModel,
    CLIPTokenizer,
    CLIPVisionModelWithProjection,
    PreTrainedTokenizerBase,
    T5EncoderModel,
)

from rdtf_bench.baselines.i2vgen_xl.released import release
from rdtf_bench.baselines.i2vgen_xl.unet import AdapterI2VGenXLUNet
from rdtf_bench.core.errors import AssetError, ProtocolError
from rdtf_bench.core.video import Video
from rdtf_bench.diffusion.freezing import freeze
from rdtf_bench.diffusion.latents import encode

_FAULTS = (
    OSError,
    ValueError,
    TypeError,
    KeyError,
    RuntimeError,
    ZeroDivisionError,
    SafetensorError,
    StrictDataclassError,
)
"""Exceptions that the libraries raise for configs and weights that are wrong or do not fit together."""


@dataclass(frozen=True, kw_only=True)
class Conditioning:
    """Options of the base that all three baselines share; the defaults are those of the released pipeline.

    variant: "faithful" is the released I2VGen-XL. "released" is the base, and the I2V-Adapter, as the authors of RDTF
    changed them (`released.py`).
    """

    variant: Literal["faithful", "released"] = "faithful"
    text_tokens: int = 77
    # Number of final layers of the text encoder that are skipped.
    clip_skip: int = 1
    # Frame rate that the base is told. The test protocol does not give the rate of a sticker, so all clips get this.
    fps: int = 16
    # Probability that training drops caption and image embedding together, to train the unconditional guidance branch.
    condition_dropout: float = 0.1
    # "bf16" keeps the frozen base in bfloat16 and the adapter in float32, and computes under autocast.
    precision: Literal["fp32", "bf16"] = "fp32"

    def __post_init__(self) -> None:
        if self.text_tokens < 1 or self.clip_skip < 0 or not 0 <= self.condition_dropout <= 1:
            raise ValueError("text_tokens must be at least 1, clip_skip at least 0, and condition_dropout from 0 to 1")


@dataclass(frozen=True, kw_only=True)
class T5:
    """The second text encoder, which only `variant: released` has."""

    tokenizer: PreTrainedTokenizerBase
    encoder: T5EncoderModel


@dataclass(frozen=True, kw_only=True)
class Parts:
    """The loaded parts of a base."""

    unet: AdapterI2VGenXLUNet
    fingerprint: str  # hash of the weights as they were loaded
    scheduler: DDIMScheduler
    autoencoder: AutoencoderKL
    tokenizer: CLIPTokenizer
    text_encoder: CLIPTextModel
    image_encoder: CLIPVisionModelWithProjection
    image_processor: CLIPImageProcessor
    t5: T5 | None
    device: torch.device

    @torch.no_grad()
    def encode_captions(self, captions: Sequence[str], conditioning: Conditioning) -> Float[Tensor, "B L E"]:
        """Return the states `clip_skip` layers below the last, through the final norm, as in the released pipeline.

        With `variant: released` the mapped T5 states are added token by token.
        """
        output = self.text_encoder(
            self._tokens(self.tokenizer, captions, conditioning)["input_ids"], output_hidden_states=True
        )
        states: Tensor = self.text_encoder.final_layer_norm(output.hidden_states[-(conditioning.clip_skip + 1)])
        if self.t5 is None:
            return states
        t5_states = self.t5.encoder(**self._tokens(self.t5.tokenizer, captions, conditioning)).last_hidden_state
        return states + self.unet.context_T5_clip_embedding(t5_states)

    def _tokens(
        self, tokenizer: PreTrainedTokenizerBase, captions: Sequence[str], conditioning: Conditioning
    ) -> dict[str, Tensor]:
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


def load_parts(assets: Mapping[str, Path], conditioning: Conditioning, *, device: torch.device) -> Parts:
    """Load all parts frozen and in eval mode, the base in the configured precision and the other parts in float32.

    The tokenizer is in the folder of the text encoder or, as in the release, beside it. The same holds for the image
    processor. Raises AssetError if a part is absent or does not fit the others.
    """
    text, image = assets["text_encoder"], assets["image_encoder"]
    tokenizer = _beside(text, "tokenizer", "tokenizer_config.json")
    image_processor = _beside(image, "feature_extractor", "preprocessor_config.json")
    second_text = ("t5_encoder",) if conditioning.variant == "released" else ()
    _check_present(assets, tokenizer, image_processor, second_text)
    unet = _load_network(AdapterI2VGenXLUNet, assets["base"] / "unet", torch_dtype=torch.float32)
    parts = Parts(
        unet=unet,
        fingerprint=fingerprint(unet),
        scheduler=_load(DDIMScheduler, assets["base"] / "scheduler"),
        autoencoder=_frozen(_load_network(AutoencoderKL, assets["autoencoder"], torch_dtype=torch.float32), device),
        tokenizer=_load(CLIPTokenizer, tokenizer),
        text_encoder=_frozen(_load_network(CLIPTextModel, text, dtype=torch.float32), device),
        image_encoder=_frozen(_load_network(CLIPVisionModelWithProjection, image, dtype=torch.float32), device),
        image_processor=_load(CLIPImageProcessor, image_processor),
        t5=_load_t5(assets["t5_encoder"], device) if conditioning.variant == "released" else None,
        device=device,
    )
    _check_fit(parts, assets)
    _check_text(parts, conditioning, assets["text_encoder"])
    if parts.t5 is not None:
        text_dim = unet.config.cross_attention_dim
        release(unet, t5_dim=parts.t5.encoder.config.d_model, text_dim=text_dim)
    if conditioning.precision == "bf16":
        # diffusers' own `to` recommends from_pretrained, with which the fingerprint would not see the float32 weights
        nn.Module.to(unet, torch.bfloat16)
    _frozen(unet, device)
    return parts


def _beside(folder: Path, name: str, file: str) -> Path:
    return folder if (folder / file).is_file() else folder.parent / name


def _load(kind: Any, folder: Path, **options: Any) -> Any:
    try:
        return kind.from_pretrained(folder, local_files_only=True, **options)
    except _FAULTS as fault:
        reason = f"{type(fault).__name__}: {str(fault).strip()[:300]}"
        raise AssetError(
            f"{folder}: {kind.__name__} cannot be loaded from this folder: {reason}. Give a folder that "
            f"{kind.__name__}.save_pretrained wrote."
        ) from fault


def _load_network(kind: Any, folder: Path, **options: Any) -> Any:
    """Load a network. Raises AssetError unless the weights are exactly those that its config.json asks for.

    The libraries only warn in that case, and initialise absent weights randomly.
    """
    network, found = _load(kind, folder, output_loading_info=True, **options)
    faults = {"lack": found["missing_keys"], "have the unknown": found["unexpected_keys"]}
    if told := [f"{word} {sorted(names)[0]} and {len(names) - 1} more" for word, names in faults.items() if names]:
        raise AssetError(
            f"{folder}: the weights do not match config.json: they {' and '.join(told)}. Give the config.json and the "
            "weights of one save_pretrained."
        )
    return network


def _load_t5(folder: Path, device: torch.device) -> T5:
    encoder = _load_network(T5EncoderModel, folder, dtype=torch.float32)
    return T5(tokenizer=_load(AutoTokenizer, folder), encoder=_frozen(encoder, device))


def fingerprint(unet: nn.Module) -> str:
    """Hash the name, the shape and the first values of every parameter, to tell one base from another quickly."""
    digest = hashlib.sha256()
    for name, parameter in sorted(unet.named_parameters()):
        digest.update(f"{name} {tuple(parameter.shape)}".encode())
        digest.update(parameter.detach().flatten()[:64].float().cpu().numpy().tobytes())
    return digest.hexdigest()


def _frozen(network: nn.Module, device: torch.device) -> Any:
    # eval mode during training too: the temporal convolutions have dropout, which draws from the global generator and
    # has no use in a frozen network
    return freeze(network.to(device))


def _check_present(
    assets: Mapping[str, Path], tokenizer: Path, image_processor: Path, second_text: Sequence[str]
) -> None:
    configs = [
        assets["base"] / "unet" / "config.json",
        assets["base"] / "scheduler" / "scheduler_config.json",
        *(assets[role] / "config.json" for role in ("autoencoder", "text_encoder", "image_encoder", *second_text)),
        tokenizer / "tokenizer_config.json",
        image_processor / "preprocessor_config.json",
    ]
    if missing := [str(path) for path in configs if not path.is_file()]:
        raise AssetError(
            f"base {assets['base']}: these files are absent: {', '.join(missing)}. Give a base with all parts of the "
            "ali-vilab/i2vgen-xl release, each a folder that save_pretrained writes."
        )
    _check_class(assets["base"] / "unet")


def _check_class(folder: Path) -> None:
    path = folder / "config.json"
    try:
        found = json.loads(path.read_text(encoding="utf-8")).get("_class_name")
    except ValueError as fault:
        raise AssetError(
            f"{path}: the file is not JSON: {fault}. Give the file that save_pretrained writes."
        ) from fault
    if found != I2VGenXLUNet.__name__:
        raise AssetError(
            f"{folder}: the network is a {found}, not an I2VGenXLUNet. Give a base of the I2VGen-XL family."
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
                f"{assets[role]}: its states have width {found}, but {assets['base'] / 'unet'} needs width {width} "
                f"(cross_attention_dim). Give the {role} that this base was trained with."
            )
    channels, wanted = parts.autoencoder.config.latent_channels, parts.unet.config.in_channels
    if channels != wanted:
        raise AssetError(
            f"{assets['autoencoder']}: its latents have {channels} channels, but {assets['base'] / 'unet'} needs "
            f"{wanted} (in_channels). Give the autoencoder that this base was trained with."
        )
    if parts.scheduler.config.prediction_type != "v_prediction":
        raise AssetError(
            f"{assets['base'] / 'scheduler'}: prediction_type is {parts.scheduler.config.prediction_type!r}, but "
            "I2VGen-XL predicts the velocity. Give the scheduler of the release (v_prediction)."
        )


def _check_text(parts: Parts, conditioning: Conditioning, folder: Path) -> None:
    """Raise the errors that the text encoder would otherwise raise only when it is first used."""
    config, words = parts.text_encoder.config, len(parts.tokenizer)
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
