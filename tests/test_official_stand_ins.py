"""The stand-ins have the names of the networks at full size, so that a loader that needs other names fails on them."""

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, I2VGenXLUNet
from safetensors import safe_open
from torch import nn
from transformers import (
    CLIPTextConfig,
    CLIPTextModel,
    CLIPVisionConfig,
    CLIPVisionModelWithProjection,
    T5Config,
    T5ForConditionalGeneration,
)

from rdtf_bench.assets import download, registry
from rdtf_bench.assets.official import OFFICIAL
from rdtf_bench.core.store import sha256_of
from rdtf_bench.metrics import vqa
from rdtf_bench.metrics.features import i3d, open_clip_model, originals
from tests import official_stand_ins


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return official_stand_ins.write(tmp_path_factory.mktemp("official") / "weights")


def names_in(file: Path) -> set[str]:
    with safe_open(file, "pt") as tensors:
        return set(tensors.keys())


def names_at_full_size(part: str) -> Collection[str]:
    config = OFFICIAL[part].config if part in OFFICIAL else {}
    network: nn.Module
    with torch.device("meta"):
        match part:
            case "i2vgen-xl":
                network = I2VGenXLUNet(**config)
            case "i2vgen-xl/vae":
                network = AutoencoderKL(**config)
            case "i2vgen-xl/text_encoder":
                text = CLIPTextModel(CLIPTextConfig(**config))
                return [f"text_model.{name}" for name, _ in text.named_parameters()]
            case "i2vgen-xl/image_encoder":
                network = CLIPVisionModelWithProjection(CLIPVisionConfig(**config))
            case "t5-base":
                network = T5ForConditionalGeneration(T5Config(**config))
            case _:
                network = open_clip_model.new_network(official_stand_ins.CLIP_CONFIG)
    return [name for name, _ in network.named_parameters()]  # shared parameters once, as files have them


@pytest.mark.parametrize(
    ("part", "file"),
    [
        ("i2vgen-xl", "i2vgen-xl/unet/diffusion_pytorch_model.safetensors"),
        ("i2vgen-xl/vae", "i2vgen-xl/vae/diffusion_pytorch_model.safetensors"),
        ("i2vgen-xl/text_encoder", "i2vgen-xl/text_encoder/model.safetensors"),
        ("i2vgen-xl/image_encoder", "i2vgen-xl/image_encoder/model.safetensors"),
        ("t5-base", "t5-base/model.safetensors"),
        ("clip-vit-b-32", "vit_base_patch32_clip_224.openai/open_clip_model.safetensors"),
    ],
)
def test_a_stand_in_has_the_names_of_the_network_at_full_size(written: dict[str, Path], part: str, file: str) -> None:
    assert names_in(written["i2vgen-xl"].parent / file) == set(names_at_full_size(part))


def test_each_stand_in_is_what_the_registry_names(
    written: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RDTF_BENCH_ASSETS", str(tmp_path / "assets"))
    added = {asset.name for name, path in written.items() for asset in download.add(name, path)}
    assert added == {name for name in OFFICIAL if name not in ("vgg16", "i3d-k400-torchscript", "faster-vqa")}
    assert all(not registry.find(name).faults() for name in added)


def test_the_files_without_a_configuration_load_at_full_width(written: dict[str, Path]) -> None:
    assert isinstance(i3d.load(written["i3d-k400"]), i3d.I3D)
    assert vqa.load(written["fast-vqa-b"], "fast-vqa-b").name == "fast-vqa-b"


def test_a_heading_has_the_plain_name_of_a_network_only_for_published_bytes(
    written: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written["fast-vqa-b"]
    sha256 = sha256_of(path)
    assert originals.heading("fast-vqa-b", path) == f"fast-vqa-b, unverified sha256 {sha256[:12]}"
    published = replace(OFFICIAL["fast-vqa-b"], files={"": sha256})
    monkeypatch.setitem(OFFICIAL, "fast-vqa-b", published)
    assert originals.heading("fast-vqa-b", path) == "fast-vqa-b"
    assert originals.heading("faster-vqa", path).startswith("faster-vqa, unverified")


def test_equal_calls_write_equal_tensors(written: dict[str, Path], tmp_path: Path) -> None:
    official_stand_ins.write_t5(tmp_path / "again")
    first, again = (folder / "model.safetensors" for folder in (written["t5-base"], tmp_path / "again"))
    assert first.read_bytes() == again.read_bytes()
