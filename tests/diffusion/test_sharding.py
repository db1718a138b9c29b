"""Training with weights that two processes share (FSDP2) equals training on one process, also across a stop."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from rdtf_bench.core.errors import ProtocolError
from rdtf_bench.diffusion.sharding import blocks, require_possible
from tests import two_processes
from tests.diffusion.on_processes import STEPS, Network, train
from tests.diffusion.test_training import training

STOP = 12


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what one process makes."""
    out = tmp_path_factory.mktemp("one")
    train(out / "double")
    train(out / "single", dtype=torch.float32)
    return out


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return what two processes make that share the weights; `resumed` was begun by one process."""
    out = tmp_path_factory.mktemp("two")
    train(out / "resumed", stop_after=STOP)
    two_processes.run("tests.diffusion.on_processes", out)
    return out


def read(out: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    return json.loads((out / "facts.json").read_text(encoding="utf-8")), load_file(out / "weights.safetensors")


def require_equal(found: Path, expected: Path, *, dtype: torch.dtype = torch.float64, atol: float = 1e-9) -> None:
    (facts, weights), (expected_facts, expected_weights) = read(found), read(expected)
    log, expected_log = facts["log"], expected_facts["log"]
    assert len(expected_log) == STEPS
    for measured, wanted in zip(log, expected_log[-len(log) :], strict=True):
        assert measured == pytest.approx(wanted, abs=atol)
    for name, weight in expected_weights.items():
        assert weight.dtype == dtype
        torch.testing.assert_close(weights[name], weight, rtol=0, atol=atol)


@pytest.mark.parametrize("how", ["sharded", "accumulated"])
def test_two_processes_that_share_the_weights_train_as_one(one: Path, two: Path, how: str) -> None:
    assert (read(one / "double")[0]["processes"], read(two / how)[0]["processes"]) == (1, 2)
    require_equal(two / how, one / "double")


def test_they_train_as_one_in_single_precision(one: Path, two: Path) -> None:
    # the largest difference is 4e-6, of a gradient norm of 3; rounding of 20 steps
    require_equal(two / "single", one / "single", dtype=torch.float32, atol=2e-5)


def test_a_process_holds_a_part_of_every_weight(one: Path, two: Path) -> None:
    held, whole = read(two / "sharded")[0]["held"], read(one / "double")[0]["held"]
    assert held.keys() == whole.keys()
    # of seven rows the first process has four; a weight of one row is whole on one of the two
    assert {name for name in whole if held[name] == whole[name]} == {f"layers.{n}.down.weight" for n in range(4)}
    assert all(held[name] * 7 == whole[name] * 4 for name in whole if "down" not in name)


def test_a_training_stopped_on_two_processes_goes_on_on_one(one: Path, two: Path) -> None:
    assert not (two / "stopped" / "facts.json").exists()
    train(two / "stopped")
    assert len(read(two / "stopped")[0]["log"]) == STEPS - STOP
    require_equal(two / "stopped", one / "double")


def test_a_training_stopped_on_one_process_goes_on_on_two(one: Path, two: Path) -> None:
    assert len(read(two / "resumed")[0]["log"]) == STEPS - STOP
    require_equal(two / "resumed", one / "double")


def test_layers_that_share_a_weight_are_no_blocks() -> None:
    network = Network()
    assert blocks(network) == list(network.layers[:2])


@pytest.mark.parametrize(("setting", "value"), [("compile", True), ("mixed_precision", "fp16")])
def test_settings_that_have_not_been_tried_are_refused(setting: str, value: Any) -> None:
    require_possible(training())
    with pytest.raises(ProtocolError, match=rf"--shard-weights: training\.{setting} is {str(value).lower()}, which"):
        require_possible(training(**{setting: value}))
