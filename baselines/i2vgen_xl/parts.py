"""Loading of the parts of I2VGen-XL from folders: the base network, its scheduler and the encoders around it.

The parts are those of the `ali-vilab/i2vgen-xl` release: unet, scheduler, vae, text_encoder, tokenizer, image_encoder,
feature_extractor.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from diffusers import DDIMScheduler, I2VGenXLUNet
from diffusers.models.modeling_utils import ModelMixin
from jaxtyping import Float
from torch import Tensor, nn
from transformers import AutoTokenizer, PreTrainedTokenizerBase, T5EncoderModel

from rdtf_bench.baselines.i2vgen_xl.encoders import (
    Conditioning,
    Encoders,
    check_present,
    check_widths,
    encoder_configs,
    load_encoders,
)
from rdtf_bench.baselines.i2vgen_xl.released import release
from rdtf_bench.baselines.i2vgen_xl.unet import AdapterI2VGenXLUNet
from rdtf_bench.core.errors import AssetError
from rdtf_bench.diffusion.freezing import freeze
from rdtf_bench.diffusion.loading import load, load_network


@dataclass(frozen=True, kw_only=True)
class BaseOptions(Conditioning):
    """Options of the frozen base that its three adapters share.

    variant: "faithful" is the released I2VGen-XL. "released" is the base, and the I2V-Adapter, as the authors of RDTF
    changed them (`released.py`).
    """

    variant: Literal["faithful", "released"] = "faithful"
    # "bf16" keeps the frozen base in bfloat16 and the adapter in float32, and computes under autocast.
    precision: Literal["fp32", "bf16"] = "fp32"


@dataclass(frozen=True, kw_only=True)
class T5:
    """The second text encoder, which only `variant: released` has."""

    tokenizer: PreTrainedTokenizerBase
    encoder: T5EncoderModel


@dataclass(frozen=True, kw_only=True)
class Parts(Encoders):
    """A denoiser with its noise schedule and the encoders of its conditions."""

    unet: ModelMixin
    scheduler: DDIMScheduler
    fingerprint: str | None = None  # hash of the pretrained weights as they were loaded; None if there were none
    t5: T5 | None = None

    @torch.no_grad()
    def encode_captions(self, captions: Sequence[str], conditioning: Conditioning) -> Float[Tensor, "B L E"]:
        """Encode with CLIP. With `variant: released` the mapped T5 states are added token by token."""
        states = super().encode_captions(captions, conditioning)
        if self.t5 is None:
            return states
        t5_states = self.t5.encoder(**self.tokens(self.t5.tokenizer, captions, conditioning)).last_hidden_state
        return states + self.unet.context_T5_clip_embedding(t5_states)


def load_parts(assets: Mapping[str, Path], options: BaseOptions, *, device: torch.device) -> Parts:
    """Load all parts frozen and in eval mode, the base in the configured precision and the other parts in float32.

    Raises AssetError if a part is absent or does not fit the others.
    """
    _check_present(assets, options)
    encoders = load_encoders(assets, options, device=device)
    unet = load_network(AdapterI2VGenXLUNet, assets["base"] / "unet", torch_dtype=torch.float32)
    parts = Parts(
        **vars(encoders),
        unet=unet,
        fingerprint=fingerprint(unet),
        scheduler=load(DDIMScheduler, assets["base"] / "scheduler"),
        t5=_load_t5(assets["t5_encoder"], device) if options.variant == "released" else None,
    )
    _check_fit(parts, assets)
    if parts.t5 is not None:
        text_dim = unet.config.cross_attention_dim
        release(unet, t5_dim=parts.t5.encoder.config.d_model, text_dim=text_dim)
    if options.precision == "bf16":
        # diffusers' own `to` recommends from_pretrained, with which the fingerprint would not see the float32 weights
        nn.Module.to(unet, torch.bfloat16)
        if parts.t5 is not None:
            unet.context_T5_clip_embedding.float()  # belongs to the encoders, which are in float32
    # eval mode during training too: the temporal convolutions have dropout, which draws from the global generator and
    # has no use in a frozen network
    freeze(unet.to(device))
    return parts


def _load_t5(folder: Path, device: torch.device) -> T5:
    encoder = load_network(T5EncoderModel, folder, dtype=torch.float32)
    return T5(tokenizer=load(AutoTokenizer, folder), encoder=freeze(encoder.to(device)))


def fingerprint(unet: nn.Module) -> str:
    """Hash the name, the shape and the first values of every parameter, to tell one base from another quickly."""
    digest = hashlib.sha256()
    for name, parameter in sorted(unet.named_parameters()):
        digest.update(f"{name} {tuple(parameter.shape)}".encode())
        digest.update(parameter.detach().flatten()[:64].float().cpu().numpy().tobytes())
    return digest.hexdigest()


def _check_present(assets: Mapping[str, Path], options: BaseOptions) -> None:
    base = assets["base"]
    second_text = [assets["t5_encoder"] / "config.json"] if options.variant == "released" else []
    check_present(
        base / "unet" / "config.json",
        base / "scheduler" / "scheduler_config.json",
        *encoder_configs(assets),
        *second_text,
    )
    _check_class(base / "unet")


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
    check_widths(parts, assets, parts.unet.config.cross_attention_dim, assets["base"] / "unet")
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
