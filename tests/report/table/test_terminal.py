"""The table in a terminal: it keeps to the width, and no number is broken."""

import re
from collections.abc import Callable

import pytest

from rdtf_bench.run.record import Record

Show = Callable[..., str]


@pytest.mark.parametrize("width", [200, 120, 100, 80, 60, 44])
def test_text_keeps_to_the_width_and_breaks_no_number(show: Show, width: int) -> None:
    text = show("text", width=width)
    assert max(map(len, text.splitlines())) <= width
    for whole in ("[536.1, 672.1]", "≈604.1", "≈612.4", "442.18", "0.96 B", "*12.3 ms*", "[11.9, 12.7]"):
        assert whole in text


def test_a_wide_terminal_has_value_and_interval_side_by_side(show: Show) -> None:
    assert re.search(r"^RDTF +≈604\.1 \[536\.1, 672\.1\] +442\.18 ", show("text", width=200), re.MULTILINE)


def test_120_columns_hold_the_table_in_one_piece(show: Show) -> None:
    assert len(re.findall("^SimDA ", show("text", width=120), re.MULTILINE)) == 1


def test_80_columns_hold_it_in_two_with_every_row_in_both(show: Show) -> None:
    text = show("text", width=80)
    blocks = [re.findall(rf"^{label} ", text, re.MULTILINE) for label in ("SimDA", "RDTF", "static", "autoencoder")]
    assert [len(found) for found in blocks] == [2, 2, 2, 2]


def test_parts_stand_below_the_table_in_120_columns(show: Show, parted: dict[str, Record]) -> None:
    text = show("text", of=parted, width=120)
    assert len(re.findall("^SimDA ", text, re.MULTILINE)) == 2
    first, second = (line for line in text.splitlines() if " ↓" in line)
    assert "FVD appearance" not in first
    assert second.split()[-6:] == ["FVD", "appearance", "↓", "FVD", "motion", "↓"]


def test_a_rule_parts_methods_from_controls(show: Show) -> None:
    lines = show("text", width=200).splitlines()
    rules = [index for index, line in enumerate(lines) if line.startswith("────")]
    assert len(rules) == 2
    assert lines[rules[1] - 1].startswith("RDTF")
    assert lines[rules[1] + 1].startswith("static")


def test_a_styled_table_is_bold_and_underlined_instead_of_starred(show: Show) -> None:
    text = show("text", width=200, styled=True)
    assert "\x1b[1m0.57 M\x1b[0m" in text
    assert "\x1b[4m1.56 M\x1b[0m" in text
    assert "*0.57 M*" not in text
