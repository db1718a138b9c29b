"""Training on two processes equals training on one: plain, accumulating gradients, sharing weights, and killed."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from tests import two_processes
from tests.models.rdtf.on_processes import STEPS, train

PROGRAM = "tests.models.rdtf.on_processes"


@pytest.fixture(scope="module")
def one(assets: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what one process makes."""
    out = tmp_path_factory.mktemp("one")
    train(assets, out)
    return out


@pytest.fixture(scope="module")
def two(assets: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what two processes make."""
    out = tmp_path_factory.mktemp("two")
    two_processes.run(PROGRAM, assets["autoencoder"].parent, out)
    return out


def read(out: Path) -> tuple[list[float], int, dict[str, Tensor]]:
    said = json.loads((out / "losses.json").read_text(encoding="utf-8"))
    return said["losses"], said["processes"], load_file(out / "made.safetensors")


def require_equal(found: Path, expected: Path) -> None:
    (losses, _, tensors), (expected_losses, _, expected_tensors) = read(found), read(expected)
    assert len(expected_losses) == STEPS
    assert losses == pytest.approx(expected_losses[-len(losses) :], abs=1e-9)
    for name, tensor in expected_tensors.items():
        assert tensor.dtype == torch.float64
        torch.testing.assert_close(tensors[name], tensor, rtol=0, atol=1e-9)


@pytest.mark.parametrize("how", ["plain", "accumulated", "sharded"])
def test_two_processes_train_and_sample_as_one(one: Path, two: Path, how: str) -> None:
    assert (read(one)[1], read(two / how)[1]) == (1, 2)
    require_equal(two / how, one)


def test_a_training_killed_on_two_processes_goes_on_on_one(assets: dict[str, Path], one: Path, two: Path) -> None:
    assert not (two / "killed" / "losses.json").exists()
    train(assets, two / "killed")
    assert len(read(two / "killed")[0]) == STEPS - 10  # from the checkpoint of step 10
    require_equal(two / "killed", one)
