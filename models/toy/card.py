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

from rdtf_bench.core.store import sha256_of

WEIGHTS = Path(__file__).parent / "weights"
CARD = "card.json"


@dataclass(frozen=True, kw_only=True)
class Card:
    """The contents of card.json."""

    name: str
    recipe: dict[str, Any]  # "module" and its hyperparameters
    seed: int
    data: list[str]  # names of the training datasets
    validation: dict[str, float]  # figures by name; a name ends in its unit
    sha256: dict[str, str]  # by path relative to the folder
    made_with: dict[str, str]  # versions of the libraries
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
    """Write the card of a finished folder; `recipe` is the frozen dataclass of the hyperparameters, with a `seed`."""
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
