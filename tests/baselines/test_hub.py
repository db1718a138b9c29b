"""A base in the folders of the release: found, loaded, and refused where something is missing or wrong."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub.errors import HTTPError  # type: ignore[attr-defined]
from safetensors.torch import load_file, save_file
from transformers import CLIPTokenizer

from rdtf_bench.baselines import simda
from rdtf_bench.baselines.i2vgen_xl import hub
from rdtf_bench.baselines.i2vgen_xl.hub import PARTS, find_base, fingerprint, parts_of
from rdtf_bench.baselines.simda import SimDA
from rdtf_bench.core.errors import AssetError, ProtocolError
from tests.baselines.small_base import Build, random_inputs, write_release


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_release(tmp_path_factory.mktemp("release"))


@pytest.fixture
def damaged(release: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(release, tmp_path / "base"))


def load(folder: Path, **options: Any) -> SimDA:
    config = simda.Config(**{"text_tokens": 8, **options})
    return simda.build(config, assets=parts_of(find_base(str(folder))), device=torch.device("cpu"))


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
    with pytest.raises(AssetError, match=f"the folder lacks {part}"):
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
        ("scheduler/scheduler_config.json", {"prediction_type": "epsilon"}, "I2VGen-XL predicts the velocity"),
        ("vae/config.json", {"latent_channels": 8}, "vae"),
        ("text_encoder/config.json", {"hidden_size": 32}, "text_encoder"),
        ("text_encoder/config.json", {"hidden_size": "wide"}, "text_encoder: CLIPTextModel cannot be loaded"),
        ("unet/config.json", {"attention_head_dim": 64}, "unet: AdapterI2VGenXLUNet cannot be loaded"),
        ("unet/config.json", {"block_out_channels": "wide"}, "unet: AdapterI2VGenXLUNet cannot be loaded"),
        ("unet/config.json", {"layers_per_block": 2}, "unet: AdapterI2VGenXLUNet cannot be loaded"),
        (
            "vae/config.json",
            {"mid_block_add_attention": True},
            "vae: the weights do not match config\\.json: they lack decoder",
        ),
        ("text_encoder/config.json", {"num_hidden_layers": 3}, r"text_encoder: .*: they lack encoder\.layers\.2"),
        (
            "text_encoder/config.json",
            {"num_hidden_layers": 1},
            r"text_encoder: .*: they have the unknown encoder\.layers\.1",
        ),
    ],
)
def test_a_wrong_config_is_named(damaged: Path, file: str, values: dict[str, Any], said: str) -> None:
    change(damaged / file, **values)
    with pytest.raises(AssetError, match=said):
        load(damaged)


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder", "image_encoder"])
def test_weights_cut_short_are_named(damaged: Path, part: str) -> None:
    (weights,) = (damaged / part).glob("*.safetensors")
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(AssetError, match=rf"{part}: \w+ cannot be loaded from this folder"):
        load(damaged)


@pytest.mark.parametrize("part", ["unet", "scheduler", "vae", "text_encoder", "image_encoder"])
def test_a_config_that_is_not_json_is_named(damaged: Path, part: str) -> None:
    name = "scheduler_config.json" if part == "scheduler" else "config.json"
    (damaged / part / name).write_text("{")
    with pytest.raises(AssetError, match=part):
        load(damaged)


def test_a_tokenizer_of_another_text_encoder_is_named(damaged: Path) -> None:
    words = ["a", "b", "<|startoftext|>", "<|endoftext|>", *(f"{number}</w>" for number in range(100))]
    CLIPTokenizer(vocab={word: number for number, word in enumerate(words)}, merges=[]).save_pretrained(
        damaged / "tokenizer"
    )
    with pytest.raises(AssetError, match=r"text_encoder: the embedding has 54 entries .*, but the tokenizer has 104"):
        load(damaged)


@pytest.mark.parametrize(("option", "most"), [("text_tokens", 77), ("clip_skip", 2)])
def test_more_than_the_text_encoder_has_is_refused(release: Path, option: str, most: int) -> None:
    with pytest.raises(ProtocolError, match=f"{option}: {most + 1} is more than the {most} that the text encoder in"):
        load(release, **{option: most + 1})


def test_weights_named_as_in_the_release_are_the_same(damaged: Path, build: Build) -> None:
    """Which was written when transformers had the text encoder's layers below `text_model`."""
    path = damaged / "text_encoder" / "model.safetensors"
    save_file({f"text_model.{name}": weight for name, weight in load_file(path).items()}, path, {"format": "pt"})
    ours, known = load(damaged), build(simda)
    expected = known.parts.encode_captions(["a cat runs"], known.config)
    assert torch.equal(ours.parts.encode_captions(["a cat runs"], ours.config), expected)


def test_a_fingerprint_tells_bases_apart(release: Path, damaged: Path) -> None:
    assert fingerprint(damaged) == fingerprint(release)
    change(damaged / "scheduler" / "scheduler_config.json", steps_offset=0)
    assert fingerprint(damaged) != fingerprint(release)


def test_what_is_neither_a_folder_nor_an_id_is_named() -> None:
    with pytest.raises(
        AssetError, match=r"base '/nowhere/at all': there is no such folder, and it cannot be downloaded"
    ):
        find_base("/nowhere/at all")


def test_a_network_that_fails_on_the_way_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def time_out(*_: object, **__: object) -> None:
        raise HTTPError("The read operation timed out")

    monkeypatch.setattr(hub, "snapshot_download", time_out)
    with pytest.raises(AssetError, match=r"it cannot be downloaded: The read operation timed out\. Give a"):
        find_base("ali-vilab/i2vgen-xl")


def test_an_id_without_a_network_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(AssetError, match=r"base 'nobody/nothing': .*give a hub id while you are online"):
        find_base("nobody/nothing")
