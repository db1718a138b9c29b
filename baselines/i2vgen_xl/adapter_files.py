"""Saving and loading of adapter weights, with a note that prevents loading them into another base or method.

A network that is trained from scratch is saved in the same way: all its weights are what was trained.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from rdtf_bench.baselines.i2vgen_xl.encoders import Conditioning
from rdtf_bench.core.errors import AssetError

WEIGHTS, NOTE = "adapter.safetensors", "adapter.json"

Identity = dict[str, Any]


def identity(method: str, version: int, config: Conditioning, *, base: str | None) -> Identity:
    """Return everything that must agree when an adapter is loaded; `base` is the fingerprint of the base."""
    as_read = json.loads(json.dumps(asdict(config)))  # turns tuples into lists, as a file does
    as_read.pop("precision", None)  # it changes the computation, not the function
    return {"method": method, "version": version, "config": as_read, "base": base}


def save(folder: Path, adapter: Mapping[str, Tensor], identity: Identity, task: str | None) -> None:
    """Write the weights of an adapter, and the note of what they belong to."""
    save_file({name: tensor.detach().contiguous() for name, tensor in adapter.items()}, folder / WEIGHTS)
    write_note(folder, identity, task)


@torch.no_grad()
def load(folder: Path, adapter: Mapping[str, Tensor], identity: Identity) -> str | None:
    """Load the weights into these tensors and return the task that the adapter was trained for.

    Raises AssetError if the files belong to another adapter.
    """
    task = check_note(folder, identity)
    saved = read_weights(folder / WEIGHTS, adapter)
    for name, tensor in adapter.items():
        tensor.copy_(saved[name])
    return task


def read_weights(path: Path, adapter: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Read the tensors of a file. Raises AssetError unless they have the names and shapes of the adapter."""
    try:
        saved = load_file(path)
    except (OSError, SafetensorError) as fault:
        raise AssetError(
            f"{path}: cannot be read: {fault}. Give the folder that the training wrote, or train the adapter again."
        ) from fault
    if odd := [name for name in {**saved, **adapter} if _shape(saved, name) != _shape(adapter, name)]:
        raise AssetError(
            f"{path}: {odd[0]} and {len(odd) - 1} more do not match the tensors of this adapter. Give the folder that "
            "the training wrote, or train the adapter again."
        )
    return saved


def _shape(weights: Mapping[str, Tensor], name: str) -> torch.Size | None:
    return weights[name].shape if name in weights else None


def write_note(folder: Path, identity: Identity, task: str | None) -> None:
    """Write the note beside the weights. `task` is the task of the training, or None for an untrained adapter."""
    note = {**identity, "task": task}
    (folder / NOTE).write_text(json.dumps(note, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def check_note(folder: Path, identity: Identity) -> str | None:
    """Return the task of a saved adapter. Raises AssetError if the adapter does not belong to this identity."""
    path = folder / NOTE
    if not path.is_file():
        raise AssetError(
            f"{path}: there is no such file, so {folder} holds no adapter. Give the folder that the training wrote."
        )
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as fault:
        raise AssetError(
            f"{path}: the file is not JSON: {fault}. Give the folder that the training wrote, or train the adapter "
            "again."
        ) from fault
    if not isinstance(saved, dict) or "task" not in saved:
        raise AssetError(f"{path}: the file is no note of an adapter. Give the folder that the training wrote.")
    if odd := [key for key in identity if saved.get(key) != identity[key]]:
        told = "; ".join(f"{key} is {saved.get(key)!r}, but {identity[key]!r} is needed" for key in odd)
        raise AssetError(
            f"{path}: the adapter was trained for another setting: {told}. Load it with its own setting, or train it "
            "again."
        )
    task: str | None = saved["task"]
    return task
