import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import huggingface_hub
import pytest

from rdtf_bench.assets import download, registry
from rdtf_bench.assets.official import OFFICIAL
from rdtf_bench.commands.assets import list_assets
from rdtf_bench.core.errors import AssetError, UnknownNameError

BYTES = b"weights"
SHA256 = hashlib.sha256(BYTES).hexdigest()


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RDTF_BENCH_ASSETS", str(tmp_path / "assets"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    return tmp_path / "assets"


def publish(monkeypatch: pytest.MonkeyPatch, name: str, path: Path, sha256: str | None) -> None:
    """A single-file asset at a URL of this machine."""
    path.write_bytes(BYTES)
    official = dataclasses.replace(OFFICIAL[name], url=path.as_uri(), files={"": sha256})
    monkeypatch.setitem(OFFICIAL, name, official)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    """A hub that writes every file it is asked for by its full name; what was asked."""
    asked = []

    def snapshot(repo_id: str, *, allow_patterns: Sequence[str], local_dir: Path) -> str:
        asked.append((repo_id, list(allow_patterns)))
        for name in (pattern for pattern in allow_patterns if "*" not in pattern):
            (local_dir / name).parent.mkdir(parents=True, exist_ok=True)
            (local_dir / name).write_text(name)
        return str(local_dir)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot)
    return asked


def test_a_file_whose_hash_is_known_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(monkeypatch, "vgg16", tmp_path / "vgg16.pth", SHA256)
    assert download.fetch("vgg16").path.read_bytes() == BYTES
    assert not registry.is_pinned("vgg16")
    registry.find("vgg16").path.unlink()
    publish(monkeypatch, "vgg16", tmp_path / "vgg16.pth", "0" * 64)
    with pytest.raises(AssetError, match=r"vgg16: could not be downloaded from file:.*invalid hash value"):
        download.fetch("vgg16")
    assert not registry.find("vgg16").path.exists()
    capsys.readouterr()  # the progress bar's


def test_a_file_whose_hash_nobody_knows_is_pinned(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(monkeypatch, "fast-vqa-b", tmp_path / "vqa.pth", None)
    unpinned = registry.find("fast-vqa-b").digest
    asset = download.fetch("fast-vqa-b")
    assert asset.files == {"": SHA256}
    assert asset.digest != unpinned
    assert registry.is_pinned("fast-vqa-b")
    asset.path.write_bytes(b"other bytes")
    with pytest.raises(
        AssetError, match=rf"(?s)has another SHA-256.*Bytes pinned at first use are in {root}/pins.json"
    ):
        download.fetch("fast-vqa-b")
    (root / "pins.json").write_text("{")
    with pytest.raises(AssetError, match=r"pins\.json: is not JSON"):
        registry.find("fast-vqa-b")
    capsys.readouterr()


def test_parts_of_one_repository_are_laid_out_as_in_it(hub: list[tuple[str, list[str]]], root: Path) -> None:
    asset = download.fetch("i2vgen-xl/text_encoder")
    assert not asset.absent()
    (repository, patterns) = hub[0]
    assert repository == "ali-vilab/i2vgen-xl"
    assert {"text_encoder/config.json", "text_encoder/model.safetensors", "tokenizer/tokenizer_config.json"} < set(
        patterns
    )
    assert {"text_encoder/*.json", "tokenizer/*.txt"} < set(patterns)
    assert (root / "i2vgen-xl" / "text_encoder" / "model.safetensors").is_file()
    assert (root / "i2vgen-xl" / "tokenizer" / "tokenizer_config.json").is_file()
    download.fetch("i2vgen-xl")
    assert "scheduler/scheduler_config.json" in hub[1][1]
    assert "scheduler/*.json" in hub[1][1]
    download.fetch("i2vgen-xl")
    assert len(hub) == 2  # what is there is not downloaded again


def test_offline_nothing_is_asked_for(hub: list[tuple[str, list[str]]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(AssetError, match=r"t5-base: .*absent, and HF_HUB_OFFLINE is set.*assets add t5-base PATH"):
        download.fetch("t5-base")
    assert hub == []


def test_without_a_network_the_other_way_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> str:
        raise OSError("Name or service not known")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(AssetError, match=r"google-t5/t5-base: Name or service not known.*assets add t5-base PATH"):
        download.fetch("t5-base")


def t5_folder(path: Path) -> Path:
    path.mkdir()
    for name in OFFICIAL["t5-base"].files:
        (path / name).write_text(name)
    return path


def test_weights_elsewhere_are_linked_checked_and_pinned(tmp_path: Path, root: Path) -> None:
    mine = t5_folder(tmp_path / "mine")
    asset = download.add("t5-base", mine)
    assert asset.path.resolve() == mine
    assert not asset.faults()
    assert set(json.loads((root / "pins.json").read_text())["t5-base"]) == set(asset.files)
    assert download.add("t5-base", mine).path.is_symlink()
    (mine / "model.safetensors").write_text("changed")
    with pytest.raises(AssetError, match=r"model\.safetensors has another SHA-256"):
        registry.verify([registry.find("t5-base")])


def test_what_is_not_the_asset_is_not_linked(tmp_path: Path, root: Path) -> None:
    mine = t5_folder(tmp_path / "mine")
    (mine / "tokenizer.json").unlink()
    with pytest.raises(
        AssetError, match=r"mine: tokenizer\.json is absent, so this is not t5-base: it holds config\.json"
    ):
        download.add("t5-base", mine)
    with pytest.raises(AssetError, match="t5-base is a folder, and there is none of that name"):
        download.add("t5-base", tmp_path / "nowhere")
    (tmp_path / "vgg.pth").write_text("no network")
    with pytest.raises(AssetError, match="has another SHA-256"):
        download.add("vgg16", tmp_path / "vgg.pth")
    assert not (root / "vgg16").is_symlink()
    with pytest.raises(AssetError, match="vgg16 is a file, and there is none"):
        download.add("vgg16", mine)
    (root / "t5-base").mkdir(parents=True)
    with pytest.raises(AssetError, match=r"t5-base is there already\. Remove it first"):
        download.add("t5-base", t5_folder(tmp_path / "other"))


def test_shipped_weights_are_not_fetched_and_a_typo_has_its_match() -> None:
    with pytest.raises(AssetError, match="toy/clip: comes with its package"):
        download.fetch("toy/clip")
    with pytest.raises(UnknownNameError, match=r"Did you mean 'vgg16'\?"):
        download.add("vgg61", Path())


def test_the_list_has_licence_state_place_source_and_hash(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    list_assets()
    printed = capsys.readouterr().out
    for said in (
        "vgg16                    BSD-3-Clause absent",
        f"{root / 'vgg16'} ({OFFICIAL['vgg16'].source})",
        f"vgg16: SHA-256 {OFFICIAL['vgg16'].files['']}",
        "fast-vqa-b: SHA-256 not known",
        "toy/clip                 Apache-2.0   verified",
    ):
        assert said in printed
