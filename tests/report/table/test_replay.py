"""A record against the one that was made again from it; both are planted."""

import json
from dataclasses import replace

import pytest

from rdtf_bench.report.table.regression import TOLERANCE
from rdtf_bench.report.table.replay import Replayed, compare, render
from rdtf_bench.run.record import Record
from tests.planted import record, score

DEVIATION = 0.1
"""Jackknife standard deviation of the planted score: sqrt(1/2 * (0.1**2 + 0.1**2))."""


def again(by: float = 0.0, *, sha256: str | None = "a") -> Record:
    """Return the planted record with its score moved by so many standard deviations."""
    return record(scores={"fvd": score(value=2.5 + by * DEVIATION)}, samples_sha256=sha256)


def replayed(now: Record, *, then: Record | None = None, expects_bits: bool = True) -> Replayed:
    return compare(then or again(), now, row="RDTF", metrics=["fvd"], expects_bits=expects_bits)


def test_the_same_bits_and_scores_repeat() -> None:
    assert replayed(again()).faults == []
    assert "the same bits as in the record" in render(replayed(again()), format="text")


def test_other_bits_are_a_fault_on_an_equal_machine_alone() -> None:
    assert replayed(again(sha256="b")).faults == ["the clips have other bits on an equal machine"]
    elsewhere = replayed(again(sha256="b"), expects_bits=False)
    assert elsewhere.faults == []
    assert "the tolerance of `rdtf-bench check`" in " ".join(render(elsewhere, format="text").split())


@pytest.mark.parametrize(("by", "faults"), [(0.9 * TOLERANCE, []), (1.1 * TOLERANCE, ["fvd moved"])])
def test_elsewhere_a_score_may_move_by_the_tolerance_of_check(by: float, faults: list[str]) -> None:
    assert replayed(again(by, sha256="b"), expects_bits=False).faults == faults


def test_a_record_without_a_hash_is_compared_by_its_scores() -> None:
    found = replayed(again(), then=again(sha256=None))
    assert (found.same_bits, found.faults) == (None, [])
    assert "holds no SHA-256" in render(found, format="text")


def test_times_are_made_anew_and_not_compared() -> None:
    seconds = score(value=1.0, without_group=())
    then, now = (replace(again(), scores={"seconds": replace(seconds, value=value)}) for value in (1.0, 9.0))
    found = compare(then, now, row="RDTF", metrics=["seconds"], expects_bits=True)
    assert (found.faults, found.checks) == ([], ())
    assert "Timed anew and not compared: seconds." in render(found, format="text")


def test_json_holds_both_values() -> None:
    (row,) = json.loads(render(replayed(again(0.5)), format="json"))
    assert (row["then"], row["now"], row["same_bits"]) == (2.5, 2.55, True)
