from dataclasses import replace

from rdtf_bench.report.page.provenance import facts, tables
from tests.planted import record

MADE = record(
    command="rdtf-bench run table1",
    config={
        "fit": {"assets": {"autoencoder": "a1"}, "data": {"train": "t1"}},
        "sample": {"real": {"clips": "c1"}},
        "scores": {"fvd": {"assets": {"efficientnet": "e1"}}},
    },
    environment={"commit": "abc", "dirty_files": ["b.py", "c.py"], "packages": {"torch": "2", "numpy": "1"}},
)


def test_a_record_tells_what_decided_its_numbers() -> None:
    found = facts(MADE)
    assert found["command"] == "rdtf-bench run table1"
    assert (found["commit"], found["changed files"]) == ("abc", "b.py, c.py")
    assert (found["weights of autoencoder"], found["weights of efficientnet"]) == ("a1", "e1")
    assert found["fingerprint of the training clips"] == "t1"
    assert found["fingerprint of the test clips"] == "c1"
    assert found["packages"] == "numpy 1, torch 2"
    assert "processor" not in found


def test_a_clean_checkout_is_told_from_an_unknown_one() -> None:
    assert facts(replace(MADE, environment={"dirty_files": []}))["changed files"] == "none"
    assert "changed files" not in facts(replace(MADE, environment={}))


def test_facts_that_differ_between_rows_stand_in_a_table_of_their_own() -> None:
    control = replace(MADE, config={"sample": {"real": {"clips": "c1"}}}, created="2026-02-02", cell_id="other")
    shared, differing = tables({"RDTF": MADE, "static": control})
    same = {row[0]: row[1] for row in shared.groups[0]}
    assert same["fingerprint of the training clips"] == "t1"  # a control row has none, and so none that differs
    assert "made" not in same
    assert [list(row) for group in differing.groups for row in group] == [
        ["made", "RDTF", "2026-01-01T00:00:00+00:00"],
        ["made", "static", "2026-02-02"],
        ["record", "RDTF", "cell.json"],
        ["record", "static", "other.json"],
    ]
