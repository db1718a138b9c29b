"""Read the reference vectors: what the original programs gave for the weights and inputs of `recipe.py`."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

FOLDER = Path(__file__).parent / "vectors"


@dataclass(frozen=True)
class Reference:
    facts: dict[str, Any]
    """Seeds, sizes, digests and scalar results, from `<name>.json`."""
    tensors: dict[str, Tensor]
    """Results that are tensors, from `<name>.safetensors`; empty where there is no such file."""


@cache
def load(name: str) -> Reference:
    """Return the vectors of one network or formula."""
    tensors = FOLDER / f"{name}.safetensors"
    return Reference(
        facts=json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8")),
        tensors=load_file(tensors) if tensors.is_file() else {},
    )
