"""The last two checkpoints are kept, and a damaged one is passed over with a word."""

import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from rdtf_bench.diffusion import checkpoints
from rdtf_bench.diffusion.checkpoints import BEFORE, LAST, Checkpoints


class Counter:
    """A part of the training whose state is one number."""

    def __init__(self) -> None:
        self.count = 0

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.count = state_dict["count"]


def saved_at(folder: Path, *steps: int) -> None:
    weight, counter = nn.Parameter(torch.zeros(64)), Counter()
    made = Checkpoints(folder, {"weight": weight}, {"counter": counter}, every=2)
    for step in steps:
        weight.data.fill_(step)
        counter.count = 10 * step
        made.save(step)


def resumed(folder: Path) -> tuple[int, float, int]:
    weight, counter = nn.Parameter(torch.zeros(64)), Counter()
    step = Checkpoints(folder, {"weight": weight}, {"counter": counter}, every=2).resume()
    return step, float(weight.detach().mean()), counter.count


def test_the_newest_of_two_kept_checkpoints_is_resumed(tmp_path: Path) -> None:
    saved_at(tmp_path, 2, 4, 6)
    assert sorted(path.name for path in tmp_path.iterdir()) == [BEFORE, LAST]
    assert resumed(tmp_path) == (6, 6.0, 60)


@pytest.mark.parametrize("damage", ["cut", "changed", "empty"])
def test_a_damaged_checkpoint_is_passed_over_with_a_word(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    saved_at(tmp_path, 2, 4)
    content = (tmp_path / LAST).read_bytes()
    place = content.index(torch.full((64,), 4.0).numpy().tobytes())
    changed = content[:place] + b"\xff" + content[place + 1 :]
    (tmp_path / LAST).write_bytes({"cut": content[:-40], "changed": changed, "empty": b""}[damage])
    assert resumed(tmp_path) == (2, 2.0, 20)
    assert f"{tmp_path / LAST}: the checkpoint is damaged" in caplog.text


def test_a_damaged_checkpoint_does_not_replace_the_whole_one_before_it(tmp_path: Path) -> None:
    saved_at(tmp_path, 2, 4)
    (tmp_path / LAST).write_bytes(b"no archive")
    made = Checkpoints(tmp_path, {"weight": nn.Parameter(torch.zeros(64))}, {"counter": Counter()}, every=2)
    assert made.resume() == 2
    made.save(4)
    (tmp_path / LAST).unlink()  # as after a kill during the next one
    assert resumed(tmp_path) == (2, 2.0, 20)


def test_training_starts_anew_without_a_whole_checkpoint(tmp_path: Path) -> None:
    assert resumed(tmp_path) == (0, 0.0, 0)
    (tmp_path / LAST).write_bytes(b"no archive")
    assert resumed(tmp_path) == (0, 0.0, 0)


def test_a_kill_between_two_checkpoints_leaves_the_older_one(tmp_path: Path) -> None:
    saved_at(tmp_path, 2, 4)
    (tmp_path / LAST).unlink()  # as after the renaming and before the new file
    assert resumed(tmp_path)[0] == 2


def test_a_checkpoint_is_due_by_steps_and_by_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Checkpoints(tmp_path, {}, {}, every=3)
    assert [step for step in range(1, 8) if made.is_due(step)] == [3, 6]
    late_s = time.monotonic() + checkpoints.MAX_S_BETWEEN + 1
    monkeypatch.setattr(time, "monotonic", lambda: late_s)
    assert made.is_due(4)
    made.save(4)
    assert not made.is_due(5)
