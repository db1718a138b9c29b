"""Which rule agrees most with the whole clips, which are tied with it, and which may stand for them."""

import pytest

from rdtf_bench.report import layouts
from rdtf_bench.report.validity import agreement
from rdtf_bench.run.validity.agreement import AgreementRecord
from rdtf_bench.run.validity.plan import CurveRecord


def curve(fault: str, rule: str, *, seen: bool) -> CurveRecord:
    return CurveRecord(
        metric="fvd",
        label="FVD",
        yardstick=f"toy-i3d, {rule}",
        higher_is_better=False,
        fault=fault,
        strengths=(0.0, 1.0),
        values=(1.0, 2.0, 3.0),
        rank_correlation=1.0 if seen else 0.5,
        is_seen=seen,
        n=60,
    )


def record(rule: str, tau: float, spread: float) -> AgreementRecord:
    """Two groups, whose values lie `spread` on either side."""
    return AgreementRecord(
        rule=rule,
        tau=tau,
        without_group=(tau - spread, tau + spread),
        by_fault={"blur": 1.0, "drop": tau, "freeze": 0.0},
        num_values=7,
        n=60,
    )


FOUND = [
    record("repeat", 0.95, -0.02),
    record("linear", 0.97, 0.01),
    record("pool1", 0.91, 0.02),
    record("loop", 0.5, 0),
]
SEEN = {"16 frames": "bd", "repeat": "bd", "linear": "bdf", "pool1": "b", "loop": "bd"}
CURVES = [
    [curve(fault, rule, seen=fault[0] in faults) for fault in ("blur", "drop", "freeze")]
    for rule, faults in SEEN.items()
]


def test_a_rule_is_accepted_that_agrees_and_sees_what_the_whole_clips_show() -> None:
    found = {verdict.rule: verdict for verdict in agreement.verdicts(FOUND, CURVES)}
    assert [rule for rule, verdict in found.items() if verdict.is_accepted] == ["repeat", "linear"]
    assert found["pool1"].not_seen == ("drop",)
    assert found["repeat"].not_seen == ()  # 16 frames do not see freezing either
    # the deviation of two groups is the spread
    assert found["repeat"].ci_low == pytest.approx(0.95 - 1.96 * 0.02, abs=1e-4)


def test_the_best_rule_and_what_is_tied_with_it() -> None:
    found = {verdict.rule: verdict for verdict in agreement.verdicts(FOUND, CURVES)}
    assert found["linear"].standing == "best"
    # without the groups the differences are -0.01 and 0.05: 0.02 with a deviation of 0.03
    assert found["repeat"].standing.startswith("tied with the best")
    assert found["loop"].standing.startswith("below the best")


def test_the_text_says_what_is_accepted() -> None:
    text = layouts.document([agreement.table(FOUND, CURVES)], format="text")
    assert "over 7 values, n = 60" in text
    assert agreement.note(FOUND, CURVES).startswith(
        "Accepted (tau of at least 0.9, and every fault seen that the full clips show): repeat, linear."
    )
    assert "does not see drop" in text
    assert "show): none." in agreement.note(FOUND[3:], [CURVES[0], CURVES[4]])
