"""Files of an adapter alone, with a note of what it belongs to, so that it is not loaded into anything else."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from rdtf_bench.baselines.i2vgen_xl.parts import Conditioning
from rdtf_bench.core.errors import AssetError

WEIGHTS, NOTE = "adapter.safetensors", "adapter.json"

Identity = dict[str, Any]


def identity(method: str, version: int, config: Conditioning, *, base: str) -> Identity:
    """Everything that must be the same where an adapter is loaded. `base` is the fingerprint of the base's weights."""
    as_read = json.loads(json.dumps(asdict(config)))  # tuples come back as lists
    for how in ("precision", "gradient_checkpointing"):  # of the computation, not of the function
        del as_read[how]
    return {"method": method, "version": version, "config": as_read, "base": base}


def save(folder: Path, adapter: Mapping[str, Tensor], identity: Identity, task: str | None) -> None:
    save_file({name: tensor.detach().contiguous() for name, tensor in adapter.items()}, folder / WEIGHTS)
    write_note(folder, identity, task)


@torch.no_grad()
def load(folder: Path, adapter: Mapping[str, Tensor], identity: Identity) -> str | None:
    """Into the adapter's own tensors; returns the task it was trained for. Raises AssetError where the files are of
    another adapter."""
    task = check_note(folder, identity)
    saved = read_weights(folder / WEIGHTS, adapter)
    for name, tensor in adapter.items():
        tensor.copy_(saved[name])
    return task


def read_weights(path: Path, adapter: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a file, which must have the adapter's names and shapes."""
    try:
        saved = load_file(path)
    except (OSError, SafetensorError) as fault:
        raise AssetError(
            f"{path}: cannot be read: {fault}. Give the folder that fit wrote, or fit it again."
        ) from fault
    if odd := [name for name in {**saved, **adapter} if _shape(saved, name) != _shape(adapter, name)]:
        raise AssetError(f"{path}: {odd[0]} and {len(odd) - 1} more are not this adapter's. Fit it again.")
    return saved


def _shape(weights: Mapping[str, Tensor], name: str) -> torch.Size | None:
    return weights[name].shape if name in weights else None


def write_note(folder: Path, identity: Identity, task: str | None) -> None:
    """`task`: what it was trained for; None where it was not trained."""
    note = {**identity, "task": task}
    (folder / NOTE).write_text(json.dumps(note, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def check_note(folder: Path, identity: Identity) -> str | None:
    """The task of an adapter that belongs here; AssetError where it does not."""
    path = folder / NOTE
    if not path.is_file():
        raise AssetError(
            f"{path}: there is no such file, so {folder} holds no adapter. Give the folder that fit wrote."
        )
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as fault:
        raise AssetError(f"{path}: is not JSON: {fault}. Give the folder that fit wrote, or fit it again.") from fault
    if odd := [key for key in identity if saved.get(key) != identity[key]]:
        told = "; ".join(f"{key} is {saved.get(key)!r}, here it is {identity[key]!r}" for key in odd)
        raise AssetError(f"{path}: the adapter is for something else: {told}. Load it where it fits, or fit it again.")
    task: str | None = saved["task"]
    return task
