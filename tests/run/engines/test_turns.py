"""The order of jobs where another run works in the same store."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rdtf_bench.core.leases import Leases
from rdtf_bench.run.engines.turns import Turns
from rdtf_bench.run.table.schedule import Job


def job(name: str, expected_s: float = 1.0, *after: str, lease: str | None = None) -> Job:
    return Job(name=name, function="work", expected_s=float(expected_s), after=frozenset(after), lease=lease)


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[tuple[Leases, Leases]]:
    with Leases(tmp_path) as one, Leases(tmp_path) as other:
        yield one, other


def names(jobs: list[Job]) -> list[str]:
    return [job.name for job in jobs]


def test_a_job_waits_for_the_run_that_is_making_its_result(runs: tuple[Leases, Leases]) -> None:
    ours, theirs = runs
    assert theirs.take("fit-a")
    said: list[str] = []
    turns = Turns([job("a", 9, lease="fit-a"), job("b", 1, lease="fit-b"), job("c", 1, "a")], ours, said.append)
    (b,) = turns.next(2)
    assert b.name == "b"
    assert turns.others_work
    turns.finished(b)
    assert turns.next(2) == []
    assert len(said) == 1  # once for each job
    assert said[0].startswith("a: another run is making it (process ")
    theirs.give_back("fit-a")
    (a,) = turns.next(2)
    assert (a.name, turns.others_work, turns.are_left) == ("a", False, True)
    assert not theirs.take("fit-a")
    turns.finished(a)
    assert theirs.take("fit-a")
    assert names(turns.next(2)) == ["c"]
    assert not turns.are_left


def test_two_rows_that_share_their_weights_are_not_trained_twice(runs: tuple[Leases, Leases]) -> None:
    said: list[str] = []
    turns = Turns([job("eta 0", 9, lease="fit"), job("eta 1", 8, lease="fit"), job("other")], runs[0], said.append)
    first, other = turns.next(2)
    assert names([first, other]) == ["eta 0", "other"]
    turns.finished(other)
    assert turns.next(2) == []
    assert not turns.others_work
    assert said == []
    turns.finished(first)
    assert names(turns.next(2)) == ["eta 1"]


def test_no_more_jobs_start_than_there_is_room_for(runs: tuple[Leases, Leases]) -> None:
    ours, theirs = runs
    turns = Turns([job("a", 2, lease="a"), job("b", 1, lease="b")], ours, print)
    assert turns.next(0) == []
    assert names(turns.next(1)) == ["a"]
    assert theirs.take("b")  # not taken before its turn
