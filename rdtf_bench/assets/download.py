"""Put official weights into the assets' folder: downloaded, or linked to a copy that the user has.

No file or folder that is there is ever removed, moved or overwritten. Only a link may be replaced by another link.
"""

import os
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath

from rdtf_bench.assets import registry
from rdtf_bench.assets.official import OFFICIAL, Official
from rdtf_bench.assets.registry import Asset
from rdtf_bench.core.errors import AssetError

OFFLINE = "HF_HUB_OFFLINE"
HUB = ".hub"
"""Folder in the assets' folder into which the hub's files are downloaded before they are moved to their places."""


def fetch(name: str) -> Asset:
    """Download weights that are absent, check them and pin them; raise AssetError if that fails.

    A failed download leaves the asset's place as it was.
    """
    asset = _official(name)
    if asset.absent():
        if os.environ.get(OFFLINE, "").upper() in ("1", "ON", "YES", "TRUE"):
            raise AssetError(
                f"{name}: {asset.absent()[0]} is absent, and {OFFLINE} is set. Unset it to download from "
                f"{asset.source}, or say where you have it: rdtf-bench assets add {name} PATH"
            )
        _download(asset, OFFICIAL[name])
    registry.verify([registry.find(name)])
    registry.pin([registry.find(name)])
    return registry.find(name)


def add(name: str, path: Path) -> list[Asset]:
    """Check the weights at `path`, link them into the assets' folder and pin them; return every asset that was added.

    A folder with further assets in it, as i2vgen-xl has i2vgen-xl/vae, adds those of them that are absent so far.
    """
    asset = _official(name)
    try:
        sources = _sources(asset, path)
        _require_known_bytes(sources)
        links = {place: target for source in sources for place, target in _links(source).items()}
        for place, target in links.items():
            _require_free(place, target)
        for place, target in links.items():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.unlink(missing_ok=True)  # a link: `_require_free` refuses all else
            place.symlink_to(target)
        registry.pin(registry.find(source.name) for source in sources)
    except OSError as fault:
        raise AssetError(f"{path}: {name} cannot be added: {fault}. Mend that and add it again.") from fault
    return [registry.find(source.name) for source in sources]


def _official(name: str) -> Asset:
    asset = registry.find(name)
    if name not in OFFICIAL:
        raise AssetError(f"{name}: comes with its package ({asset.source}) and is not fetched or added")
    return asset


def _sources(asset: Asset, path: Path) -> list[Asset]:
    """Return the asset as the user has it at `path`, and the absent assets that lie in this folder as well."""
    absolute = path.absolute()
    # links are not followed otherwise: a tokenizer lies beside the link to a text encoder, not beside its target
    source = replace(asset, path=absolute.resolve() if ".." in absolute.parts else absolute)
    kind = "file" if "" in asset.files else "folder"
    if not source.path.exists():
        raise AssetError(f"{path}: there is no such {kind}. Give the {kind} of {asset.name} from {asset.source}")
    if source.path.is_file() != (kind == "file"):
        raise AssetError(f"{path}: is not a {kind}, but {asset.name} is one. Give the {kind} from {asset.source}")
    if absent := [file for file, place in source.paths().items() if not place.is_file()]:
        raise AssetError(
            f"{path}: there is no file {absent[0]} in it, so this is not {asset.name}, which consists of "
            f"{', '.join(asset.files)}"
        )
    parts = [registry.find(part) for part in OFFICIAL if part.startswith(f"{asset.name}/")]
    inside = [replace(part, path=source.path / part.path.relative_to(asset.path)) for part in parts if part.absent()]
    return [source, *(part for part in inside if not part.absent())]


def _require_known_bytes(sources: Iterable[Asset]) -> None:
    """Raise AssetError if a file has another hash than the published one, or than the bytes that were used first."""
    if faults := {f"{source.name}: {fault}": source.source for source in sources for fault in source.faults()}:
        raise AssetError(
            "these weights are not the ones the registry names:\n  " + "\n  ".join(faults) + "\nGive those from "
            f"{', or '.join(dict.fromkeys(faults.values()))}. A hash that nobody has published is that of the bytes of "
            f"first use, in {registry.root() / registry.PINS}."
        )


def _links(source: Asset) -> dict[Path, Path]:
    """Return the target of each link that the asset's place needs: one link per file or, in a folder, per subfolder.

    An asset with further assets in it is therefore a real folder of links, to which the others can be added.
    """
    single = "" in source.files
    pairs = zip(registry.find(source.name).paths().values(), source.paths().values(), strict=True)
    needed = {place if single else place.parent: target if single else target.parent for place, target in pairs}
    return {place: target.resolve() for place, target in needed.items() if not _same(place, target)}


def _same(place: Path, target: Path) -> bool:
    return place.exists() and place.samefile(target)


def _require_free(place: Path, target: Path) -> None:
    """Raise AssetError if a link at `place` would replace or change anything but a link in the assets' folder."""
    _require_no_link_above(place)
    if place.exists() and not place.is_symlink():
        raise AssetError(f"{place}: is there already. Move it away first, if {target} is to be used instead.")
    if place.parent.resolve().is_relative_to(target):
        raise AssetError(
            f"{target}: holds the assets' folder, {registry.root()}. Put the weights into a folder of their own."
        )


def _require_no_link_above(place: Path) -> None:
    folders = [folder for folder in place.parents if registry.root() in folder.parents and folder.is_symlink()]
    if folders:
        raise AssetError(
            f"{folders[0]}: is a link to {folders[0].readlink()}, and nothing is written there. Remove the link, and "
            f"add or fetch {folders[0].relative_to(registry.root())} again."
        )


def _download(asset: Asset, official: Official) -> None:
    for path in asset.absent():
        _require_no_link_above(path)
        if path.is_dir() or path.is_symlink():
            raise AssetError(f"{path}: is a folder or a broken link where a file belongs. Move it away first.")
    try:
        asset.path.parent.mkdir(parents=True, exist_ok=True)
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
    """Download the absent files, and what is beside them in their folders of the repository.

    A repeated call resumes a failed one. Existing files stay: the hub's own client would overwrite them.
    """
    from huggingface_hub import hf_hub_download, snapshot_download

    making = registry.root() / HUB / official.hub
    if "" in asset.files:
        hf_hub_download(official.hub, official.hub_path, local_dir=making)
        (making / official.hub_path).replace(asset.path)
    else:
        top = asset.path
        for _ in PurePosixPath(official.hub_path).parts:
            top = top.parent
        wanted = [path.relative_to(top).as_posix() for path in asset.absent()]
        patterns = [*wanted, *_beside(wanted)]
        snapshot_download(official.hub, allow_patterns=patterns, local_dir=making)
        for file in {file for pattern in patterns for file in making.glob(pattern)}:
            place = top / file.relative_to(making)
            if not os.path.lexists(place):
                place.parent.mkdir(parents=True, exist_ok=True)
                file.replace(place)
    shutil.rmtree(making)


def _beside(files: Iterable[str]) -> list[str]:
    """Return the patterns of the small files in the folders of these files."""
    folders = sorted({str(PurePosixPath(file).parent) for file in files})
    return [f"{folder}/{kind}".removeprefix("./") for folder in folders for kind in ("*.json", "*.txt", "*.model")]


def _from_url(asset: Asset, official: Official) -> None:
    import torch

    (sha256,) = asset.files.values()
    torch.hub.download_url_to_file(official.url, str(asset.path), hash_prefix=sha256)
