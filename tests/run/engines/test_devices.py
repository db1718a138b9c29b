"""Sharing the GPUs of a machine among workers, told by the variable that CUDA reads."""

import os

import pytest
import torch

from rdtf_bench.core.errors import DeviceError
from rdtf_bench.run.engines import devices


@pytest.fixture
def four_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(devices.VISIBLE, raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)


def taken(worker: int, each: int) -> str | None:
    """Return what a worker sees after it took its share; the variable is as before afterwards."""
    before = os.environ.get(devices.VISIBLE)
    devices.take(worker, each)
    found = os.environ.pop(devices.VISIBLE, None)
    if before is not None:
        os.environ[devices.VISIBLE] = before
    return found


@pytest.mark.usefixtures("four_gpus")
@pytest.mark.parametrize(
    ("each", "shares"), [(1, ["0", "1", "2", "3", "0"]), (2, ["0,1", "2,3", "0,1"]), (3, ["0,1,2", "3,0,1"])]
)
def test_each_worker_takes_the_next_gpus(each: int, shares: list[str]) -> None:
    assert [taken(worker, each) for worker in range(len(shares))] == shares


def test_only_the_gpus_that_the_run_may_use_are_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(devices.VISIBLE, "GPU-aa,GPU-bb")
    assert [taken(worker, 1) for worker in range(3)] == ["GPU-aa", "GPU-bb", "GPU-aa"]


@pytest.mark.usefixtures("four_gpus")
def test_a_worker_that_needs_all_gpus_sees_all() -> None:
    assert taken(1, 4) is None


@pytest.mark.usefixtures("four_gpus")
def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    devices.require(4)
    with pytest.raises(DeviceError, match=r"--processes 8: .* 4 can be seen here .* --processes 4 or fewer"):
        devices.require(8)
    monkeypatch.setenv(devices.VISIBLE, "")
    with pytest.raises(DeviceError, match="0 can be seen here"):
        devices.require(1)
