"""What the tests of RDTF share: the authors' outputs on seeded weights, and a network of a few thousand parameters."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

PARITY = Path(__file__).parents[4] / "shared" / "parity"

SMALL: dict[str, Any] = {
    "block_out_channels": (8, 16),
    "attention_head_dim": 8,
    "cross_attention_dim": 12,
    "t5_dim": 10,
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "transformer_in_heads": 1,
    "sti_heads": 1,
    "sti_head_dim": 8,
}


@pytest.fixture(scope="session")
def reference() -> dict[str, Any]:
    if not (PARITY / "dfgn.pt").is_file():
        pytest.skip("the reference outputs of the released network are not here")
    return torch.load(PARITY / "dfgn.pt", weights_only=True)


@pytest.fixture(scope="session")
def recipe() -> ModuleType:
    """The seeded weights and inputs that belong to the reference outputs."""
    if not (PARITY / "recipe.py").is_file():
        pytest.skip("the recipe of the reference outputs is not here")
    spec = importlib.util.spec_from_file_location("parity_recipe", PARITY / "recipe.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def small_options() -> dict[str, Any]:
    """Options of a DFGN small enough for a test."""
    return dict(SMALL)
