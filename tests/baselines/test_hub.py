"""A base in the folders of the release: found, loaded, and refused where something is missing or wrong."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from rdtf_bench.baselines import simda
from rdtf_bench.baselines.i2vgen_xl.hub import PARTS, find_base, parts_of
from rdtf_bench.baselines.simda import SimDA
from rdtf_bench.core.errors import AssetError
from tests.baselines.small_base import Build, random_inputs, write_release


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_release(tmp_path_factory.mktemp("release"))


@pytest.fixture
def damaged(release: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(release, tmp_path / "base"))


def load(folder: Path) -> SimDA:
    return simda.build(simda.Config(text_tokens=8), assets=parts_of(find_base(str(folder))), device=torch.device("cpu"))


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_it_has_the_folders_of_the_release(release: Path) -> None:
    assert {path.name for path in release.iterdir()} == set(PARTS)


@torch.no_grad()
def test_the_network_is_the_one_of_separate_folders(release: Path, build: Build) -> None:
    ours, known = load(release), build(simda)
    inputs = random_inputs(known)
    assert torch.equal(ours.denoiser()(**inputs).sample, known.denoiser()(**inputs).sample)
    captions = ["a cat runs"]
    expected = known.parts.encode_captions(captions, known.config)
    assert torch.equal(ours.parts.encode_captions(captions, ours.config), expected)


@pytest.mark.parametrize("part", PARTS)
def test_a_missing_part_is_named(damaged: Path, part: str) -> None:
    shutil.rmtree(damaged / part)
    with pytest.raises(AssetError, match=f"it lacks {part}"):
        load(damaged)


@pytest.mark.parametrize(
    ("file", "values", "said"),
    [
        (
            "unet/config.json",
            {"_class_name": "UNet3DConditionModel"},
            "is a UNet3DConditionModel, not an I2VGenXLUNet",
        ),
        ("unet/config.json", {"block_out_channels": [8, 32]}, "AdapterI2VGenXLUNet cannot be loaded"),
        ("scheduler/scheduler_config.json", {"prediction_type": "epsilon"}, "I2VGen-XL predicts v"),
        ("vae/config.json", {"latent_channels": 8}, "vae"),
        ("text_encoder/config.json", {"hidden_size": 32}, "text_encoder"),
    ],
)
def test_a_wrong_config_is_named(damaged: Path, file: str, values: dict[str, Any], said: str) -> None:
    change(damaged / file, **values)
    with pytest.raises(AssetError, match=said):
        load(damaged)


def test_weights_cut_short_are_named(damaged: Path) -> None:
    weights = damaged / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(AssetError, match="unet: AdapterI2VGenXLUNet cannot be loaded from it"):
        load(damaged)


def test_what_is_neither_a_folder_nor_an_id_is_named() -> None:
    with pytest.raises(AssetError, match=r"base '/nowhere/at all': there is no such folder, and the hub"):
        find_base("/nowhere/at all")


def test_an_id_without_a_network_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(AssetError, match=r"base 'nobody/nothing': .*or a hub id while the network is there"):
        find_base("nobody/nothing")
