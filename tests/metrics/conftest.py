import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

FOLDER = Path(__file__).parents[2].parent / "shared" / "parity"


@dataclass(frozen=True)
class Parity:
    """Outputs of the original programs, and the recipe that makes their weights and inputs again."""

    recipe: ModuleType

    def vectors(self, name: str) -> dict[str, Any]:
        return torch.load(FOLDER / name, weights_only=True)


@cache
def _recipe() -> ModuleType:
    spec = importlib.util.spec_from_file_location("parity_recipe", FOLDER / "recipe.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def parity() -> Parity:
    if not FOLDER.is_dir():
        pytest.skip("the reference vectors are not here")
    return Parity(_recipe())
