"""Find a base in the layout of the `ali-vilab/i2vgen-xl` release: a local folder, or an id of the Hugging Face hub."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

from huggingface_hub import snapshot_download
from huggingface_hub.errors import HFValidationError, HTTPError  # type: ignore[attr-defined]

from rdtf_bench.core.errors import AssetError, first_line

PARTS = ("unet", "scheduler", "vae", "text_encoder", "tokenizer", "image_encoder", "feature_extractor")
FILES = ["*.json", "*.txt", "diffusion_pytorch_model.safetensors", "model.safetensors"]
"""File patterns of a part. They leave out the half-precision copies of the weights."""


def find_base(name: str) -> Path:
    """Return the folder of a base, and download files that are not in the hub's cache.

    Raises AssetError if there is neither such a folder nor such a hub id.
    """
    folder = Path(name)
    if folder.is_dir():
        return folder
    wanted = [f"{part}/{pattern}" for part in PARTS for pattern in FILES]
    try:
        return Path(snapshot_download(name, allow_patterns=wanted))
    except (HTTPError, HFValidationError, OSError, RuntimeError) as fault:
        raise AssetError(
            f"base {name!r}: there is no such folder, and it cannot be downloaded: {first_line(fault)}. Give a "
            "folder in the layout of ali-vilab/i2vgen-xl, or give a hub id while you are online."
        ) from fault


def parts_of(folder: Path) -> Mapping[str, Path]:
    """Return the folder of each role. Raises AssetError with the names of all absent parts."""
    if missing := [part for part in PARTS if not (folder / part).is_dir()]:
        raise AssetError(
            f"base {folder}: the folder lacks {', '.join(missing)}. Give a base with all parts of the "
            f"ali-vilab/i2vgen-xl release, each a folder that save_pretrained writes: {', '.join(PARTS)}."
        )
    return {
        "base": folder,
        "autoencoder": folder / "vae",
        "text_encoder": folder / "text_encoder",
        "image_encoder": folder / "image_encoder",
    }


def fingerprint(folder: Path) -> str:
    """Hash the names, the sizes and the first MiB of all files of the parts, to tell one base from another quickly."""
    digest = hashlib.sha256()
    for path in sorted(path for part in PARTS for path in (folder / part).iterdir() if path.is_file()):
        digest.update(f"{path.relative_to(folder)} {path.stat().st_size}".encode())
        with path.open("rb") as file:
            digest.update(file.read(2**20))
    return digest.hexdigest()[:16]
