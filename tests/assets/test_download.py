import dataclasses
import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import huggingface_hub
import pytest

from rdtf_bench.assets import download, registry
from rdtf_bench.assets.official import OFFICIAL
from rdtf_bench.baselines.i2vgen_xl import hub as hub_module
from rdtf_bench.commands.models.assets import list_assets
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
    """A hub that writes every file it is asked for, and a config.json in each folder; what was asked."""
    asked = []

    def snapshot(repo_id: str, *, allow_patterns: Sequence[str], local_dir: Path) -> str:
        asked.append((repo_id, list(allow_patterns)))
        for name in (pattern.replace("*.json", "config.json") for pattern in allow_patterns):
            (local_dir / name).parent.mkdir(parents=True, exist_ok=True)
            if "*" not in name:
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


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes, links left out."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def test_weights_elsewhere_are_linked_checked_and_pinned(tmp_path: Path, root: Path) -> None:
    mine = t5_folder(tmp_path / "mine")
    (asset,) = download.add("t5-base", mine)
    assert asset.path.resolve() == mine
    assert not asset.faults()
    assert set(json.loads((root / "pins.json").read_text())["t5-base"]) == set(asset.files)
    (again,) = download.add("t5-base", mine)
    assert again.path.is_symlink()
    (mine / "model.safetensors").write_text("changed")
    with pytest.raises(AssetError, match=r"model\.safetensors has another SHA-256"):
        registry.verify([registry.find("t5-base")])


def test_what_is_not_the_asset_is_not_linked(tmp_path: Path, root: Path) -> None:
    mine = t5_folder(tmp_path / "mine")
    (mine / "tokenizer.json").unlink()
    (mine / "tokenizer.json").mkdir()
    with pytest.raises(AssetError, match=r"mine: there is no file tokenizer\.json in it, so this is not t5-base"):
        download.add("t5-base", mine)
    with pytest.raises(AssetError, match="nowhere: there is no such folder"):
        download.add("t5-base", tmp_path / "nowhere")
    with pytest.raises(AssetError, match="mine: is not a file, but vgg16 is one"):
        download.add("vgg16", mine)
    (tmp_path / "vgg.pth").write_text("no network")
    with pytest.raises(AssetError, match=r"vgg\.pth: is not a folder, but t5-base is one"):
        download.add("t5-base", tmp_path / "vgg.pth")
    with pytest.raises(
        AssetError, match=r"(?s)vgg\.pth has another SHA-256.*Give those from https://download\.pytorch"
    ):
        download.add("vgg16", tmp_path / "vgg.pth")
    assert not root.exists()


@pytest.mark.parametrize("given", ["the place", "a link to it", "a relative path"])
def test_wrong_bytes_at_the_assets_own_place_stay_there(
    given: str, tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root.mkdir()
    (root / "vgg16").write_bytes(BYTES)
    (tmp_path / "link").symlink_to(root / "vgg16")
    monkeypatch.chdir(tmp_path)
    path = {"the place": root / "vgg16", "a link to it": tmp_path / "link", "a relative path": Path("assets/vgg16")}
    with pytest.raises(AssetError, match="has another SHA-256"):
        download.add("vgg16", path[given])
    assert (root / "vgg16").read_bytes() == BYTES


def test_weights_at_their_own_place_are_checked_and_pinned(root: Path) -> None:
    root.mkdir()
    download.add("t5-base", t5_folder(root / "t5-base"))
    assert not (root / "t5-base").is_symlink()
    assert registry.is_pinned("t5-base")


def test_what_is_there_is_never_replaced_unless_it_is_a_link(tmp_path: Path, root: Path) -> None:
    mine, other = t5_folder(tmp_path / "mine"), t5_folder(tmp_path / "other")
    (other / "config.json").write_text("{}")
    (root / "t5-base").mkdir(parents=True)
    (root / "t5-base" / "notes.txt").write_text("mine")
    with pytest.raises(AssetError, match=r"t5-base: is there already\. Move it away first"):
        download.add("t5-base", mine)
    assert files_of(root) == {"t5-base/notes.txt": b"mine"}
    (root / "t5-base").rename(tmp_path / "away")
    (root / "t5-base").symlink_to(tmp_path / "nowhere")
    download.add("t5-base", mine)
    with pytest.raises(AssetError, match=r"other/config\.json has another SHA-256"):  # than the bytes of first use
        download.add("t5-base", other)
    assert (root / "t5-base").resolve() == mine
    (root / "pins.json").unlink()
    download.add("t5-base", other)
    assert (root / "t5-base").resolve() == other


def test_a_folder_around_the_assets_folder_is_refused(tmp_path: Path, root: Path) -> None:
    around = t5_folder(tmp_path / "around")
    (around / "assets").mkdir()
    root.symlink_to(around / "assets")
    with pytest.raises(AssetError, match="around: holds the assets' folder"):
        download.add("t5-base", around)
    assert not list(root.iterdir())


def test_a_fault_of_the_file_system_is_one_error(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = t5_folder(tmp_path / "mine")
    root.write_text("a file where the folder should be")
    with pytest.raises(AssetError, match="t5-base cannot be added"):
        download.add("t5-base", mine)
    root.unlink()

    def forbid(path: Path, _: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "symlink_to", forbid)
    with pytest.raises(AssetError, match=r"mine: t5-base cannot be added: .*Permission denied"):
        download.add("t5-base", mine)
    monkeypatch.setattr(Path, "replace", forbid)
    (root / "t5-base").mkdir()
    for name in OFFICIAL["t5-base"].files:
        (root / "t5-base" / name).write_text(name)
    with pytest.raises(AssetError, match=r"pins\.json: the bytes of first use cannot be pinned"):
        download.fetch("t5-base")


BASE = ["i2vgen-xl", "i2vgen-xl/vae", "i2vgen-xl/text_encoder", "i2vgen-xl/image_encoder"]


def base_folder(path: Path) -> Path:
    """A folder in the layout of the release, each part of which is a link to a folder elsewhere."""
    path.mkdir()
    for name in BASE:
        for file in OFFICIAL[name].files:
            place = Path(os.path.normpath(path.joinpath(*name.split("/")[1:], file)))
            elsewhere = path.parent / "elsewhere" / f"{path.name}-{place.parent.name}"
            elsewhere.mkdir(parents=True, exist_ok=True)
            (elsewhere / place.name).write_text("{}")
            if not place.parent.exists():
                place.parent.symlink_to(elsewhere)
    return path


@pytest.mark.parametrize("order", [BASE, BASE[::-1], BASE[1:] + BASE[:1]])
def test_a_base_and_its_parts_are_added_in_any_order(order: list[str], tmp_path: Path, root: Path) -> None:
    mine = base_folder(tmp_path / "mine")
    before = files_of(tmp_path)
    for name in order:
        download.add(name, mine.joinpath(*name.split("/")[1:]))
    registry.require_present(map(registry.find, BASE))
    registry.verify(list(map(registry.find, BASE)))
    assert all(map(registry.is_pinned, BASE))
    assert set(hub_module.parts_of(root / "i2vgen-xl")) == {"base", "autoencoder", "text_encoder", "image_encoder"}
    assert {name: held for name, held in files_of(tmp_path).items() if name in before} == before


def test_a_base_brings_its_absent_parts_and_a_part_of_ones_own_replaces_one(tmp_path: Path, root: Path) -> None:
    assert [asset.name for asset in download.add("i2vgen-xl", base_folder(tmp_path / "mine"))] == BASE
    vae = base_folder(tmp_path / "other") / "vae"
    assert [asset.name for asset in download.add("i2vgen-xl/vae", vae)] == BASE[1:2]
    assert (root / "i2vgen-xl" / "vae").resolve() == vae.resolve()


def test_a_part_inside_a_linked_base_is_one_error(tmp_path: Path, root: Path) -> None:
    mine = base_folder(tmp_path / "mine")
    root.mkdir()
    (root / "i2vgen-xl").symlink_to(mine)
    download.add("i2vgen-xl/vae", mine / "vae")  # it is at its place
    before = files_of(tmp_path)
    (mine / "vae" / "config.json").write_text("changed")
    with pytest.raises(AssetError, match=r"vae/config\.json has another SHA-256"):
        download.add("i2vgen-xl/vae", mine / "vae")
    (mine / "vae" / "config.json").write_text("{}")
    with pytest.raises(AssetError, match=r"i2vgen-xl: is a link to .*mine, and nothing is written there"):
        download.add("i2vgen-xl/vae", base_folder(tmp_path / "other") / "vae")
    assert before.items() <= files_of(tmp_path).items()


def test_a_download_writes_into_no_linked_folder_and_over_no_file(
    tmp_path: Path, root: Path, hub: list[tuple[str, list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = t5_folder(tmp_path / "mine")
    (mine / "model.safetensors").unlink()
    root.mkdir()
    (root / "t5-base").symlink_to(mine)
    with pytest.raises(AssetError, match=r"t5-base: is a link to .*mine, and nothing is written there"):
        download.fetch("t5-base")
    (root / "t5-base").unlink()
    mine.rename(root / "t5-base")
    (root / "t5-base" / "config.json").write_text("my own")
    download.fetch("t5-base")
    assert hub[0][1][0] == "model.safetensors"
    assert "config.json" not in hub[0][1]
    assert (root / "t5-base" / "config.json").read_text() == "my own"
    assert sorted(path.name for path in root.rglob("*") if path.is_file()) == [
        "config.json", "model.safetensors", "pins.json", "tokenizer.json"
    ]  # fmt: skip
    publish(monkeypatch, "vgg16", tmp_path / "vgg16.pth", SHA256)
    (root / "vgg16").mkdir()
    with pytest.raises(AssetError, match="vgg16: is a folder or a broken link where a file belongs"):
        download.fetch("vgg16")
    assert (root / "vgg16").is_dir()


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
