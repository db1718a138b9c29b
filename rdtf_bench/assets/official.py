"""Pretrained weights that others publish and users download. No torch.

A configuration here holds the released values that decide shapes, so that parameters can be counted without a download.
"""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Official:
    """Published weights: where they come from, their licence, and the hashes of their files."""

    source: str
    licence: str
    files: dict[str, str | None]  # file -> SHA-256, None where nobody has pinned it; "" where the asset is one file
    config: dict[str, Any] = field(default_factory=dict)  # of the network, for assets that hold one
    hub: str = ""  # Hugging Face repository, where `assets fetch` gets it
    hub_path: str = ""  # folder of that repository which is the asset, or its one file
    url: str = ""  # of the one file, where no hub has it


_I2VGEN_XL = {
    "source": "https://huggingface.co/ali-vilab/i2vgen-xl",
    "licence": "MIT",
    "hub": "ali-vilab/i2vgen-xl",
}
_FAST_VQA = "https://github.com/VQAssessment/FAST-VQA-and-FasterVQA/releases/download/v2.0.0"

OFFICIAL = {
    "i2vgen-xl": Official(
        **_I2VGEN_XL,
        files={
            "unet/config.json": None,
            "unet/diffusion_pytorch_model.safetensors": None,
            "scheduler/scheduler_config.json": None,
        },
        config={"sample_size": 32},  # the rest is the class's own default
    ),
    "i2vgen-xl/vae": Official(
        **_I2VGEN_XL,
        hub_path="vae",
        files={"config.json": None, "diffusion_pytorch_model.safetensors": None},
        config={
            "block_out_channels": [128, 256, 512, 512],
            "down_block_types": ["DownEncoderBlock2D"] * 4,
            "up_block_types": ["UpDecoderBlock2D"] * 4,
            "layers_per_block": 2,
        },
    ),
    "i2vgen-xl/text_encoder": Official(
        **_I2VGEN_XL,
        hub_path="text_encoder",
        files={"config.json": None, "model.safetensors": None, "../tokenizer/tokenizer_config.json": None},
        config={
            "hidden_size": 1024,
            "intermediate_size": 4096,
            "num_hidden_layers": 24,
            "num_attention_heads": 16,
            "projection_dim": 1024,
        },
    ),
    "i2vgen-xl/image_encoder": Official(
        **_I2VGEN_XL,
        hub_path="image_encoder",
        files={"config.json": None, "model.safetensors": None, "../feature_extractor/preprocessor_config.json": None},
        config={
            "hidden_size": 1280,
            "intermediate_size": 5120,
            "num_hidden_layers": 32,
            "num_attention_heads": 16,
            "patch_size": 14,
            "image_size": 224,
            "projection_dim": 1024,
        },
    ),
    "t5-base": Official(
        source="https://huggingface.co/google-t5/t5-base",
        hub="google-t5/t5-base",
        licence="Apache-2.0",
        files={"config.json": None, "model.safetensors": None, "tokenizer.json": None},
        config={"d_model": 768, "d_ff": 3072, "num_layers": 12, "num_heads": 12},
    ),
    "vgg16": Official(
        source="https://download.pytorch.org/models/vgg16-397923af.pth",
        url="https://download.pytorch.org/models/vgg16-397923af.pth",
        licence="BSD-3-Clause",
        files={"": "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0"},
    ),
    "clip-vit-b-32": Official(
        source="https://huggingface.co/timm/vit_base_patch32_clip_224.openai",
        hub="timm/vit_base_patch32_clip_224.openai",
        licence="MIT",
        files={"open_clip_config.json": None, "open_clip_model.safetensors": None},
    ),
    "fast-vqa-b": Official(
        source="https://github.com/VQAssessment/FAST-VQA-and-FasterVQA (release v2.0.0, FAST_VQA_B_1_4.pth)",
        url=f"{_FAST_VQA}/FAST_VQA_B_1_4.pth",
        licence="MIT",
        files={"": None},
    ),
    "i3d-k400": Official(
        source="https://github.com/songweige/TATS (tats/fvd/i3d_pretrained_400.pt, VideoGPT's conversion of the tf-hub "
        "module deepmind/i3d-kinetics-400/1)",
        url="https://github.com/songweige/TATS/raw/main/tats/fvd/i3d_pretrained_400.pt",
        licence="Apache-2.0",
        files={"": None},
    ),
    "i3d-k400-torchscript": Official(
        source="https://www.dropbox.com/s/ge9e5ujwgetktms/i3d_torchscript.pt (StyleGAN-V, from the same module; "
        "also https://huggingface.co/flateon/FVD-I3D-torchscript)",
        hub="flateon/FVD-I3D-torchscript",
        hub_path="i3d_torchscript.pt",
        licence="Apache-2.0",
        files={"": None},
    ),
    "faster-vqa": Official(
        source="https://github.com/VQAssessment/FAST-VQA-and-FasterVQA (release v2.0.0, FAST_VQA_3D_1_1.pth)",
        url=f"{_FAST_VQA}/FAST_VQA_3D_1_1.pth",
        licence="MIT",
        files={"": None},
    ),
}
