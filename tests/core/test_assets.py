import dataclasses
from pathlib import Path

import pytest

from rdtf_bench.core import assets
from rdtf_bench.core.errors import AssetError


@pytest.mark.parametrize("name", assets.names())
def test_every_asset_is_there_with_the_registrys_bytes(name: str) -> None:
    assert assets.find(name).faults() == []


def test_changed_and_absent_files_are_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"changed")
    asset = assets.Asset(name="x", path=tmp_path, files={"a": "0" * 64, "b": "1" * 64}, source="", licence="")
    with pytest.raises(AssetError) as e:
        assets.verify([asset])
    assert "x: " in str(e.value)
    assert "a has another SHA-256 than the registry's 000000000000..." in str(e.value)
    assert "b is absent" in str(e.value)
    assert "rdtf-bench assets build toy" in str(e.value)


def test_the_digest_changes_with_any_file() -> None:
    asset = assets.Asset(name="x", path=Path(), files={"a": "0", "b": "1"}, source="", licence="")
    assert dataclasses.replace(asset, files={"a": "0", "b": "2"}).digest != asset.digest


def test_an_unknown_asset_is_refused() -> None:
    with pytest.raises(AssetError, match=r"there is no asset 'toy/nothing'\. Known: toy/autoencoder"):
        assets.find("toy/nothing")
