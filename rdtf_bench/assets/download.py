"""Put official weights into the assets' folder: downloaded, or linked to a copy that the user has."""

import os
import shutil
from pathlib import Path, PurePosixPath

from rdtf_bench.assets import registry
from rdtf_bench.assets.official import OFFICIAL, Official
from rdtf_bench.assets.registry import Asset
from rdtf_bench.core.errors import AssetError
from rdtf_bench.core.store import written_whole

OFFLINE = "HF_HUB_OFFLINE"


def fetch(name: str) -> Asset:
    """Download weights that are absent, check them and pin them; raise AssetError if that fails.

    A failed download leaves no incomplete file.
    """
    asset = _official(name)
    if asset.absent():
        if os.environ.get(OFFLINE, "").upper() in ("1", "ON", "YES", "TRUE"):
            raise AssetError(
                f"{name}: {asset.absent()[0]} is absent, and {OFFLINE} is set. Unset it to download from "
                f"{asset.source}, or say where you have it: rdtf-bench assets add {name} PATH"
            )
        _download(asset, OFFICIAL[name])
    return _checked(name)


def add(name: str, path: Path) -> Asset:
    """Link the weights at `path` into the assets' folder, check them and pin them."""
    asset = _official(name)
    source = path.resolve()
    single = "" in asset.files
    if not (source.is_file() if single else source.is_dir()):
        raise AssetError(f"{path}: {name} is a {'file' if single else 'folder'}, and there is none of that name")
    absent = [file for file in asset.files if file and not (source / file).is_file()]
    if absent:
        raise AssetError(f"{path}: {absent[0]} is absent, so this is not {name}: it holds {', '.join(asset.files)}")
    place = asset.path
    if place.resolve() != source:
        if place.exists() and not place.is_symlink():
            raise AssetError(f"{place}: {name} is there already. Remove it first, if the other one is to be used.")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.unlink(missing_ok=True)
        place.symlink_to(source)
    try:
        return _checked(name)
    except AssetError:
        place.unlink()
        raise


def _official(name: str) -> Asset:
    asset = registry.find(name)
    if name not in OFFICIAL:
        raise AssetError(f"{name}: comes with its package ({asset.source}) and is not fetched or added")
    return asset


def _checked(name: str) -> Asset:
    asset = registry.find(name)
    registry.verify([asset])
    registry.pin([asset])
    return registry.find(name)


def _download(asset: Asset, official: Official) -> None:
    asset.path.parent.mkdir(parents=True, exist_ok=True)
    try:
        if official.hub:
            _from_hub(asset, official)
        else:
            _from_url(asset, official)
    except (OSError, RuntimeError) as fault:  # the hub's errors are OSErrors; a wrong hash is a RuntimeError of torch
        reason = str(fault).strip().splitlines()[0]
        raise AssetError(
            f"{asset.name}: could not be downloaded from {official.url or official.hub}: {reason}. Get it where "
            f"there is a network, and say where it is: rdtf-bench assets add {asset.name} PATH"
        ) from fault


def _from_hub(asset: Asset, official: Official) -> None:
    """Download from the hub; folders below the asset's folder are the same as in the repository."""
    from huggingface_hub import hf_hub_download, snapshot_download

    if "" in asset.files:
        with written_whole(asset.path) as making:
            Path(hf_hub_download(official.hub, official.hub_path, local_dir=asset.path.parent / ".hub")).replace(making)
        shutil.rmtree(asset.path.parent / ".hub")
        return
    top = asset.path
    for _ in PurePosixPath(official.hub_path).parts:
        top = top.parent
    wanted = [os.path.normpath(PurePosixPath(official.hub_path, file)) for file in asset.files]
    folders = sorted({str(PurePosixPath(file).parent) for file in wanted})
    small = [f"{folder}/{kind}".removeprefix("./") for folder in folders for kind in ("*.json", "*.txt", "*.model")]
    snapshot_download(official.hub, allow_patterns=[*wanted, *small], local_dir=top)


def _from_url(asset: Asset, official: Official) -> None:
    import torch

    (sha256,) = asset.files.values()
    torch.hub.download_url_to_file(official.url, str(asset.path), hash_prefix=sha256)
