"""What an option changes, paired over the clips, worked out by hand."""

from rdtf_bench.report.table.differences import notes, pairs
from rdtf_bench.spec.load import load_protocol, protocol_names
from rdtf_bench.spec.schema import Settings, TableSpec
from tests.report.numbers import COMMON, number

WITH_OWN = (21.0, -19.0, 19.0, -21.0)
"""COMMON and +1, +1, -1, -1: beside a row of COMMON the difference has the deviation sqrt(3 / 4 * 4) = 1.73."""


def all_pairs(spec: TableSpec) -> dict[str, str]:
    return pairs(spec, [row.label for row in spec.rows])


def test_each_released_baseline_is_beside_the_faithful_one() -> None:
    for table in ("ablate-baselines", "table1-released-baselines"):
        found = all_pairs(load_protocol(table))
        assert found == {f"{name}, released": name for name in ("Customize-A-Video", "I2V-Adapter", "SimDA")}


def test_in_a_table_with_panels_a_row_is_beside_the_plain_row_of_its_panel() -> None:
    assert all_pairs(load_protocol("vsd2m-sti")) == {
        "I2VGen-XL with STI": "I2VGen-XL",
        "3-D U-Net with STI": "3-D U-Net",
    }


def test_a_row_that_is_not_measured_is_no_plain_row() -> None:
    spec = load_protocol("sweep-learning-rate-small")
    measured = ["RDTF, lr 3.0e-3", "RDTF, lr 6.0e-3", "SimDA, lr 1.5e-3"]
    assert pairs(spec, measured) == {"RDTF, lr 6.0e-3": "RDTF, lr 3.0e-3"}


def test_every_ablation_asks_what_each_of_its_rows_changes() -> None:
    for name in protocol_names():
        if name.startswith("ablate-"):
            spec = load_protocol(name)
            changed = [row.label for row in spec.rows if row.options or row.settings != Settings()]
            assert list(all_pairs(spec)) == [label for label in changed if label not in all_pairs(spec).values()], name


def test_the_difference_is_paired_and_named_with_its_interval() -> None:
    numbers = [number("SimDA", 100.0, COMMON), number("SimDA, released", 130.0, WITH_OWN)]
    head, note = notes(load_protocol("ablate-baselines"), numbers)
    assert head.startswith("Effect of each option")
    assert note == "SimDA, released, from SimDA: FVD ↓ +30.0 [+26.6, +33.4]."


def test_nothing_is_said_of_rows_that_cannot_be_compared() -> None:
    spec = load_protocol("ablate-baselines")
    released = number("SimDA, released", 130.0, WITH_OWN)
    assert list(notes(spec, [released])) == []
    assert list(notes(spec, [number("SimDA", 100.0, COMMON, yardstick="i3d"), released])) == []
    assert list(notes(load_protocol("table1"), [number("SimDA", 100.0, COMMON)])) == []
