import dataclasses
from pathlib import Path

import pytest

from rdtf_bench.assets import registry
from rdtf_bench.assets.official import OFFICIAL
from rdtf_bench.core.errors import AssetError, UnknownNameError


@pytest.mark.parametrize("name", [name for name in registry.names() if name not in OFFICIAL])
def test_every_shipped_asset_is_there_with_the_registrys_bytes(name: str) -> None:
    assert registry.find(name).faults() == []


def test_changed_and_absent_files_are_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"changed")
    asset = registry.Asset(name="x", path=tmp_path, files={"a": "0" * 64, "b": "1" * 64}, source="", licence="")
    with pytest.raises(AssetError) as e:
        registry.verify([asset])
    assert "x: " in str(e.value)
    assert "a has another SHA-256 than the registry's 000000000000..." in str(e.value)
    assert "b is absent" in str(e.value)
    assert "rdtf-bench assets build toy" in str(e.value)


def test_the_digest_changes_with_any_file() -> None:
    asset = registry.Asset(name="x", path=Path(), files={"a": "0", "b": "1"}, source="", licence="")
    assert dataclasses.replace(asset, files={"a": "0", "b": "2"}).digest != asset.digest


def test_an_unknown_asset_is_refused() -> None:
    with pytest.raises(UnknownNameError, match=r"there is no asset 'toy/clop'\. Did you mean 'toy/clip'\?"):
        registry.find("toy/clop")


def test_absent_official_weights_are_named_with_their_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RDTF_BENCH_ASSETS", str(tmp_path))
    asset = registry.find("t5-base")
    with pytest.raises(AssetError, match=r"huggingface\.co/google-t5/t5-base") as e:
        registry.require_present([asset, registry.find("toy/autoencoder")])
    assert e.value.exit_status == 5
    assert str(tmp_path / "t5-base" / "config.json") in str(e.value)
    assert "toy/autoencoder" not in str(e.value)
    for name in asset.files:
        (tmp_path / "t5-base").mkdir(exist_ok=True)
        (tmp_path / "t5-base" / name).write_text('{"d_model": 3}')
    registry.require_present([asset])
    assert asset.config() == {"d_model": 3}


def test_assets_that_are_ready_are_pinned_at_first_use_and_checked_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RDTF_BENCH_ASSETS", str(tmp_path))
    with pytest.raises(AssetError, match=r"these weights are needed and not there"):
        registry.ready(["t5-base"])
    for path in registry.find("t5-base").paths().values():
        path.parent.mkdir(exist_ok=True)
        path.write_text("{}")
    unpinned = OFFICIAL["t5-base"].files
    monkeypatch.setitem(OFFICIAL, "t5-base", dataclasses.replace(OFFICIAL["t5-base"], files=dict.fromkeys(unpinned)))
    (asset,) = registry.ready(["t5-base"])
    assert None not in asset.files.values()
    next(iter(asset.paths().values())).write_text("[]")
    with pytest.raises(AssetError, match=r"has another SHA-256"):
        registry.ready(["t5-base"])


def test_an_absent_networks_configuration_is_the_released_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RDTF_BENCH_ASSETS", str(tmp_path))
    assert registry.find("t5-base").config()["d_model"] == 768


def test_unpinned_assets_have_different_identities() -> None:
    assert registry.find("i2vgen-xl/vae").digest != registry.find("fast-vqa-b").digest
