"""Random stand-ins of the official weights, in the layouts and under the names of files and tensors of the releases.

Networks with a configuration have the released depth, on which the names of tensors depend, at reduced width. I3D and
FAST-VQA are published as one file without a configuration, so that only the full width can be loaded. They are written
in half precision, which the loaders widen. Equal calls write equal tensors.
"""

import json
import shutil
import string
from pathlib import Path
from typing import Any

import open_clip
import torch
from diffusers import AutoencoderKL, I2VGenXLUNet
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import (
    CLIPImageProcessor,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    T5Config,
    T5ForConditionalGeneration,
    T5Tokenizer,
)

from rdtf_bench.assets.official import OFFICIAL
from rdtf_bench.assets.registry import TOY_WEIGHTS
from rdtf_bench.metrics.features import open_clip_model
from rdtf_bench.metrics.features.i3d import I3D
from tests.baselines import small_base
from tests.parity import recipe, reference

WIDTH = small_base.WIDTH  # of the states of text and images
NARROW = {"intermediate_size": 32, "num_attention_heads": 2, "projection_dim": WIDTH, "hidden_size": WIDTH}
CLIP_CONFIG: dict[str, Any] = open_clip.get_model_config("ViT-B-32-quickgelu")  # of clip-vit-b-32 at full width


def write(root: Path) -> dict[str, Path]:
    """Write all stand-ins and return the path of each, as `assets add` takes it; i2vgen-xl holds its parts."""
    root.mkdir()
    write_i2vgen_xl(root / "i2vgen-xl")
    write_t5(root / "t5-base")
    write_clip(root / "vit_base_patch32_clip_224.openai")
    write_i3d(root / "i3d_pretrained_400.pt")
    write_fast_vqa(root / "FAST_VQA_B_1_4.pth")
    return {
        "i2vgen-xl": root / "i2vgen-xl",
        "t5-base": root / "t5-base",
        "clip-vit-b-32": root / "vit_base_patch32_clip_224.openai",
        "i3d-k400": root / "i3d_pretrained_400.pt",
        "fast-vqa-b": root / "FAST_VQA_B_1_4.pth",
    }


def write_i2vgen_xl(root: Path) -> None:
    """Write a pipeline of I2VGen-XL, with all its parts."""
    unet = I2VGenXLUNet(
        **_config(
            "i2vgen-xl",
            block_out_channels=(8, 16, 32, 32),
            norm_num_groups=4,
            cross_attention_dim=WIDTH,
            attention_head_dim=4,
        )
    )
    small_base.randomise(unet, "unet")
    small_base.write_base(root, unet)
    vae = AutoencoderKL(**_config("i2vgen-xl/vae", block_out_channels=(4, 8, 16, 16), norm_num_groups=2))
    small_base.randomise(vae, "vae")
    vae.save_pretrained(root / "vae")
    _write_text_encoder(root / "text_encoder", root / "tokenizer")
    image = CLIPVisionModelWithProjection(CLIPVisionConfig(**_config("i2vgen-xl/image_encoder", **NARROW)))
    small_base.randomise(image, "image")
    image.save_pretrained(root / "image_encoder")
    CLIPImageProcessor().save_pretrained(root / "feature_extractor")


def _write_text_encoder(folder: Path, tokenizer: Path) -> None:
    text = CLIPTextModel(CLIPTextConfig(**_config("i2vgen-xl/text_encoder", **NARROW)))
    small_base.randomise(text, "text")
    text.save_pretrained(folder)
    # releases keep the names that transformers gave before version 5
    renamed = {f"text_model.{name}": value for name, value in load_file(folder / "model.safetensors").items()}
    save_file(renamed, folder / "model.safetensors", metadata={"format": "pt"})
    tokenizer.mkdir()
    for name in ("vocab.json", "merges.txt", "tokenizer_config.json"):  # the toy text encoder has CLIP's own tokens
        shutil.copy(TOY_WEIGHTS / "text_encoder" / name, tokenizer)


def write_t5(folder: Path) -> None:
    """Write an encoder with its decoder, as the release has them, and a tokenizer of letters."""
    pieces = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0), ("▁", -2.0)]
    tokenizer = T5Tokenizer(vocab=[*pieces, *((letter, -3.0) for letter in string.ascii_lowercase)])
    tokenizer.save_pretrained(folder)
    config = _config("t5-base", d_model=16, d_kv=8, d_ff=32, num_heads=2, vocab_size=len(tokenizer))
    network = T5ForConditionalGeneration(T5Config(**config))
    small_base.randomise(network, "t5")
    network.save_pretrained(folder)


def write_clip(folder: Path) -> None:
    """Write a vision transformer of 12 layers in open_clip's layout."""
    config = {
        **CLIP_CONFIG,
        "embed_dim": WIDTH,
        "vision_cfg": {**CLIP_CONFIG["vision_cfg"], "width": 32, "head_width": 16},
        "text_cfg": {**CLIP_CONFIG["text_cfg"], "width": WIDTH, "heads": 2},
    }
    network = open_clip_model.new_network(config)
    small_base.randomise(network, "clip")
    folder.mkdir()
    (folder / open_clip_model.CONFIG).write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {}}))
    save_file(network.state_dict(), folder / open_clip_model.WEIGHTS)


def write_i3d(file: Path) -> None:
    """Write the names of VideoGPT's file, which are those of pytorch-i3d."""
    seed = reference.load("i3d").facts["seed"]
    torch.save(_halved(recipe.fill(I3D().state_dict(), recipe.i3d_value, seed)), file)


def write_fast_vqa(file: Path) -> None:
    """Write the names of the release, below `state_dict`."""
    facts = reference.load("fast_vqa").facts
    values = {name: recipe.fast_vqa_value(facts["seed"], name, tuple(shape)) for name, shape in facts["shapes"].items()}
    torch.save({"state_dict": _halved(values)}, file)


def _config(name: str, **narrower: Any) -> dict[str, Any]:
    """Return the released configuration of an asset with other widths."""
    return {**OFFICIAL[name].config, **narrower}


def _halved(values: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value.half() if value.is_floating_point() else value for name, value in values.items()}
