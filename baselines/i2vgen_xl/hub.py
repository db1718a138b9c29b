"""A base in the layout of the `ali-vilab/i2vgen-xl` release: a folder on disk, or an id of the Hugging Face hub."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

from rdtf_bench.core.errors import AssetError

PARTS = ("unet", "scheduler", "vae", "text_encoder", "tokenizer", "image_encoder", "feature_extractor")
FILES = ["*.json", "*.txt", "diffusion_pytorch_model.safetensors", "model.safetensors"]
"""Not the half-precision copies beside them."""


def find_base(name: str) -> Path:
    """The folder of a base; downloads what is not in the hub's cache yet. Raises AssetError where there is none."""
    folder = Path(name)
    if folder.is_dir():
        return folder
    wanted = [f"{part}/{pattern}" for part in PARTS for pattern in FILES]
    try:
        return Path(snapshot_download(name, allow_patterns=wanted))
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError) as fault:
        reason = str(fault).partition("\n")[0]
        raise AssetError(
            f"base {name!r}: there is no such folder, and the hub did not give it: {reason}. Name a folder in the "
            "layout of ali-vilab/i2vgen-xl, or a hub id while the network is there."
        ) from fault


def parts_of(folder: Path) -> Mapping[str, Path]:
    """The folder of each role. Raises AssetError that names every part that is absent."""
    if missing := [part for part in PARTS if not (folder / part).is_dir()]:
        raise AssetError(
            f"base {folder}: it lacks {', '.join(missing)}. A base has the parts of the ali-vilab/i2vgen-xl release, "
            f"each a folder that save_pretrained writes: {', '.join(PARTS)}."
        )
    return {
        "base": folder,
        "autoencoder": folder / "vae",
        "text_encoder": folder / "text_encoder",
        "image_encoder": folder / "image_encoder",
    }


def fingerprint(folder: Path) -> str:
    """Names, sizes and beginnings of all files of the parts: enough to tell one base from another in a moment."""
    digest = hashlib.sha256()
    for path in sorted(path for part in PARTS for path in (folder / part).iterdir() if path.is_file()):
        digest.update(f"{path.relative_to(folder)} {path.stat().st_size}".encode())
        with path.open("rb") as file:
            digest.update(file.read(2**20))
    return digest.hexdigest()[:16]
