"""Starting the processes that train a row together: what they end with, and that none is left behind."""

import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from rdtf_bench.core.errors import ProtocolError, Stopped, StoreError
from rdtf_bench.core.store import Store
from rdtf_bench.data.reading.media import Unreadable
from rdtf_bench.run.progress import Report, Silent
from rdtf_bench.run.table import launch
from rdtf_bench.run.table.context import Bench
from rdtf_bench.spec.plan import Cell


@pytest.fixture
def request_(planned: tuple[Bench, list[Cell]], tmp_path: Path) -> launch.Request:
    bench, cells = planned
    fit = next(cell.fit for cell in cells if cell.fit is not None)
    return launch.Request(
        fit=fit,
        training=bench.training,
        store=Store(tmp_path / "store"),
        assets={},
        device="cpu",
        shard_weights=False,
        threads=1,
        parent=os.getpid(),
    )


def stand_in(script: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let a shell script stand for the interpreter that starts torchrun."""
    path = tmp_path / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(path))
    monkeypatch.setattr(launch, "POLL_S", 0.02)


def train(request: launch.Request) -> None:
    launch.train(request, 2, Report(Silent(), "job", "training"))


def test_the_processes_get_the_request_and_leave_the_entry(
    request_: launch.Request, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = request_.store.unfinished("fit", request_.fit.key)
    entry = request_.store.path("fit", request_.fit.key)
    stand_in(f'echo "$@" > {tmp_path}/given\nmkdir -p {entry}', monkeypatch, tmp_path)
    train(request_)
    given = (tmp_path / "given").read_text().split()
    assert given[:5] == ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    assert given[5:] == ["-m", "rdtf_bench.run.table.launch", str(folder / launch.REQUEST)]
    read = pickle.loads((folder / launch.REQUEST).read_bytes())
    assert read.fit == request_.fit


def test_a_fault_of_the_first_process_is_raised_as_it_was(
    request_: launch.Request, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "fault").write_bytes(pickle.dumps(ProtocolError("batches of 3 clips")))
    folder = request_.store.unfinished("fit", request_.fit.key)
    stand_in(f"cp {tmp_path}/fault {folder}/{launch.FAULT}\nexit 1", monkeypatch, tmp_path)
    with pytest.raises(ProtocolError, match="batches of 3 clips"):
        train(request_)


@pytest.mark.parametrize(
    ("fault", "passed_on"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), torch.OutOfMemoryError),
        (Unreadable(Path("a.mp4"), "is cut off"), Unreadable),
        (ZeroDivisionError("division by zero"), StoreError),
    ],
)
def test_the_run_knows_its_own_errors_and_a_full_memory(fault: Exception, passed_on: type[Exception]) -> None:
    crossed = pickle.loads(pickle.dumps(launch._passed_on(fault)))
    assert type(crossed) is passed_on
    assert str(fault) in str(crossed)


def test_processes_that_end_without_a_word_are_quoted(
    request_: launch.Request, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stand_in("echo no such device >&2\nexit 3", monkeypatch, tmp_path)
    with pytest.raises(StoreError, match=r"ended with status 3[^$]*no such device"):
        train(request_)


def test_an_interruption_ends_them(request_: launch.Request, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand_in(f"echo $$ > {tmp_path}/pid\nexec sleep 60", monkeypatch, tmp_path)

    def interrupted(*_: object) -> None:
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text().strip():
            time.sleep(0.01)
        raise KeyboardInterrupt

    monkeypatch.setattr(launch, "_report", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(request_)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_signal_ends_them(request_: launch.Request, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    stand_in(f"echo $$ > {tmp_path}/pid\nexec sleep 60", monkeypatch, tmp_path)
    monkeypatch.setattr(launch, "_report", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Stopped):
        train(request_)
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_process_ends_with_the_one_that_asked_for_the_training() -> None:
    gone = subprocess.Popen(["true"])
    gone.wait()
    code = f"from rdtf_bench.run.table import launch; launch._end_without({gone.pid})"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 1
