"""The card of a toy network: recipe, seed, data, validation figures and the SHA-256 of every file of its folder."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import diffusers
import torch
import transformers

from rdtf_bench.core.errors import AssetError
from rdtf_bench.core.store import sha256_of

WEIGHTS = Path(__file__).parent / "weights"
CARD = "card.json"
LARGEST_BYTES = 8 * 2**20
"""Of one shipped file."""


@dataclass(frozen=True, kw_only=True)
class Card:
    name: str
    recipe: dict[str, Any]  # "module" and its hyperparameters
    seed: int
    data: list[str]  # what it learnt from, in words
    validation: dict[str, float]  # figures by name, the unit last
    sha256: dict[str, str]  # by file below the folder
    made_with: dict[str, str]
    notes: str = ""


def write_card(
    folder: Path,
    *,
    name: str,
    module: str,
    recipe: Any,
    data: Sequence[str],
    validation: Mapping[str, float],
    notes: str = "",
) -> Card:
    """Describe a folder of finished files; `recipe` is the frozen dataclass of its hyperparameters, with a seed."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != CARD)
    card = Card(
        name=name,
        recipe={"module": module, **dataclasses.asdict(recipe)},
        seed=recipe.seed,
        data=list(data),
        validation={key: round(float(value), 4) for key, value in validation.items()},
        sha256={path.relative_to(folder).as_posix(): sha256_of(path) for path in files},
        made_with={
            "torch": torch.__version__,
            "diffusers": diffusers.__version__,
            "transformers": transformers.__version__,
        },
        notes=notes,
    )
    (folder / CARD).write_text(json.dumps(dataclasses.asdict(card), indent=2) + "\n", encoding="utf-8")
    return card


def read_card(folder: Path) -> Card:
    """AssetError where there is none."""
    path = folder / CARD
    if not path.is_file():
        raise AssetError(f"there is no {path}. Rebuild the toy networks with: rdtf-bench assets build toy")
    return Card(**json.loads(path.read_text(encoding="utf-8")))
