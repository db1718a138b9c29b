from collections.abc import Sequence
from dataclasses import replace

from rdtf_bench.report.layouts import Table
from rdtf_bench.report.page.provenance import of_record, tables
from tests.planted import record, score

MADE = record(
    command="rdtf-bench run table1",
    config={
        "fit": {"assets": {"autoencoder": "a1"}, "data": {"train": "t1"}, "training": {"learning_rate": 0.003}},
        "sample": {"real": {"clips": "c1"}, "fit": "f1"},
        "scores": {"fvd": {"metric": "fvd", "assets": {"efficientnet": "e1"}}, "vqa": {"assets": {"vqa": "v1"}}},
    },
    scores={"fvd": score(), "vqa": score(label="VQA")},
    environment={"commit": "abc", "dirty_files": ["b.py", "c.py"], "packages": {"torch": "2"}, "device": "cpu"},
)


def lines(table: Table) -> list[Sequence[object]]:
    """Return the lines of a table, each with the section that its group names once."""
    return [(group[0][0], *row[1:]) for group in table.groups for row in group]


def test_a_record_tells_what_decided_all_of_its_numbers() -> None:
    found = of_record(MADE)
    assert found["code", "command"] == "rdtf-bench run table1"
    assert (found["code", "commit"], found["code", "dirty files"]) == ("abc", "b.py, c.py")
    assert (found["weights", "efficientnet"], found["weights", "vqa"]) == ("e1", "v1")
    assert (found["data", "fingerprint train"], found["data", "fingerprint test"]) == ("t1", "c1")
    assert found["configuration", "training.learning rate"] == "0.003"
    assert ("machine", "processor") not in found
    assert not [name for section, name in found if name.startswith("metric")]


def test_a_clean_checkout_is_told_from_an_unknown_one() -> None:
    clean = of_record(replace(MADE, environment={"commit": "abc", "dirty_files": []}))
    assert clean["code", "dirty files"] == "none"
    assert ("code", "dirty files") not in of_record(replace(MADE, environment={}))


def test_a_section_is_named_in_its_first_line_alone() -> None:
    shared, _ = tables({"RDTF": MADE})
    weights = next(group for group in shared.groups if group[0][0] == "weights")
    assert [row[0] for row in weights] == ["weights", *[""] * (len(weights) - 1)]
    assert len(weights) == 4


def test_facts_that_differ_between_rows_stand_in_a_table_of_their_own() -> None:
    control = replace(MADE, created="2026-02-02", cell_id="other", peak_memory_gib=None)
    shared, differing = map(lines, tables({"RDTF": MADE, "static": control}))
    assert ("weights", "autoencoder", "a1") in shared
    assert ("took", "peak memory gib", "0.5") in shared  # one row has none, and so none that differs
    assert differing == [
        ("samples", "id", "RDTF", "cell"),
        ("samples", "id", "static", "other"),
        ("took", "created", "RDTF", "2026-01-01T00:00:00+00:00"),
        ("took", "created", "static", "2026-02-02"),
    ]
