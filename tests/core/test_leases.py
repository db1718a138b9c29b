"""Leases: one holder at a time, dead runs lose theirs, and commands that remove entries work alone."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from rdtf_bench.core import leases as module
from rdtf_bench.core.errors import StoreError
from rdtf_bench.core.leases import DEAD_AFTER_S, Leases, alone_in

KILLED = """
import os, pathlib, sys
from rdtf_bench.core.leases import Leases
leases = Leases(pathlib.Path(sys.argv[1])).__enter__()
assert leases.take("entry")
os._exit(9)
"""
"""A run that is killed while it holds a lease."""


def make_older(path: Path, seconds: float) -> None:
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))


def run_elsewhere(root: Path, token: str) -> Path:
    """Leave in a store what a run on another machine leaves there, with one lease."""
    path = root / module.FOLDER / "runs" / token
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"place": "node3", "host": "node3", "pid": 12}))
    (root / module.FOLDER / "entry").write_text(token)
    return path


def test_one_run_at_a_time_holds_a_lease(tmp_path: Path) -> None:
    with Leases(tmp_path) as one, Leases(tmp_path) as other:
        assert one.take("entry")
        assert not one.take("entry")  # another job of the same run waits, too
        assert not other.take("entry")
        assert other.take("another entry")
        assert other.holder("entry") == f"process {os.getpid()} on {socket.gethostname()}"
        assert one.holder("entry") is None  # no other run
        one.give_back("entry")
        assert other.take("entry")


def test_a_run_that_another_took_for_dead_appears_again(tmp_path: Path) -> None:
    runs = tmp_path / module.FOLDER / "runs"
    with Leases(tmp_path) as one:
        before = set(runs.iterdir())
        with Leases(tmp_path) as other:
            (own,) = set(runs.iterdir()) - before
            assert one.take("entry")
            own.unlink()
            assert not other.take("entry")
            assert own.is_file()


def test_the_end_of_a_run_gives_its_leases_back(tmp_path: Path) -> None:
    with Leases(tmp_path) as other:
        one = Leases(tmp_path)
        with suppress(KeyboardInterrupt), one:
            assert one.take("entry")
            assert other.is_alive(one.token)
            raise KeyboardInterrupt
        assert not other.is_alive(one.token)
        assert other.take("entry")
    assert [path for path in (tmp_path / module.FOLDER).rglob("*") if path.is_file()] == []


def test_the_leases_of_a_killed_run_are_free_at_once(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path)], check=False)
    assert done.returncode == 9
    with Leases(tmp_path) as leases:
        assert leases.holder("entry") is None
        assert leases.take("entry")


def test_a_run_on_another_machine_is_dead_when_it_gives_no_sign_of_life(tmp_path: Path) -> None:
    run = run_elsewhere(tmp_path, "theirs")
    with Leases(tmp_path) as leases:
        assert leases.holder("entry") == "process 12 on node3"
        assert not leases.take("entry")
        make_older(run, DEAD_AFTER_S + 1)
        assert leases.take("entry")


def test_a_lease_without_a_token_is_being_taken(tmp_path: Path) -> None:
    with Leases(tmp_path) as leases:
        lease = tmp_path / module.FOLDER / "entry"
        lease.touch()
        assert not leases.take("entry")
        make_older(lease, DEAD_AFTER_S + 1)
        assert leases.take("entry")


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Let threads take turns so often that a race between them shows within a few rounds."""
    interval_s = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval_s)


@pytest.mark.usefixtures("hasty_threads")
def test_one_of_many_runs_gets_the_lease_of_a_dead_one(tmp_path: Path) -> None:
    runs = [Leases(tmp_path) for _ in range(8)]
    with ThreadPoolExecutor(len(runs)) as pool:
        for run in runs:
            run.__enter__()
        for _ in range(200):
            (tmp_path / module.FOLDER / "entry").write_text("of a dead run")
            together = threading.Barrier(len(runs))

            def take(run: Leases, together: threading.Barrier = together) -> bool:
                together.wait()
                return run.take("entry")

            taken = list(pool.map(take, runs))
            assert sum(taken) == 1
            runs[taken.index(True)].give_back("entry")
        for run in runs:
            run.__exit__(None, None, None)


def test_a_lease_that_went_to_another_run_stays_there(tmp_path: Path) -> None:
    with Leases(tmp_path) as leases:
        assert leases.take("entry")
        run_elsewhere(tmp_path, "theirs")
        leases.give_back("entry")
        assert leases.holder("entry") == "process 12 on node3"


def test_a_run_shows_that_it_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT_S", 0.01)
    with Leases(tmp_path) as one, Leases(tmp_path) as other:
        sign = tmp_path / module.FOLDER / "runs" / one.token
        make_older(sign, DEAD_AFTER_S + 1)
        while not other.is_alive(one.token):
            time.sleep(0.01)
        sign.unlink()  # as another run does that takes it for dead
        while not other.is_alive(one.token):
            time.sleep(0.01)


def test_a_block_waits_for_its_lease(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    with Leases(tmp_path) as one, Leases(tmp_path) as other:
        assert one.take("entry")
        entered = threading.Event()

        def enter() -> None:
            with other.held("entry"):
                entered.set()

        waiting = threading.Thread(target=enter)
        waiting.start()
        assert not entered.wait(0.1)
        one.give_back("entry")
        waiting.join()
        assert entered.is_set()
        with one.held_if_free("entry") as free, other.held_if_free("entry") as also:
            assert (free, also) == (True, False)


def test_entries_are_removed_only_where_no_run_works(tmp_path: Path) -> None:
    works = pytest.raises(StoreError, match=r"another run works in this store \(process \d+ on ")
    with Leases(tmp_path), works, alone_in(tmp_path):
        pytest.fail("a run works there")
    with alone_in(tmp_path), pytest.raises(StoreError, match="is removing entries of this store"), Leases(tmp_path):
        pytest.fail("entries are being removed")
    with Leases(tmp_path) as later:
        assert later.take("entry")
