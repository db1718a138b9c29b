"""The row that a command is asked about is looked up with the options of the command."""

from pathlib import Path

import pytest

from rdtf_bench.commands.records.row import find, options
from rdtf_bench.commands.selection import Selection
from rdtf_bench.core.errors import StoreError, UnknownNameError


def test_a_row_is_found_in_the_published_results(tmp_path: Path) -> None:
    spec, held = find(Selection(protocol="ci", scale_name="ci", store=tmp_path), "simda")
    assert (spec.name, held.row, held.record.method) == ("ci", "SimDA", "simda")


def test_the_options_of_a_record_name_what_is_not_the_default() -> None:
    plain = Selection(protocol="ci", scale_name="ci")
    assert options(plain) == ["--scale", "ci"]
    chosen = Selection(protocol="ci", scale_name="ci", store=Path("kept"), data=("asg=DIR",), seeds=3)
    assert options(chosen) == ["--scale", "ci", "--data", "asg=DIR", "--seeds", "3", "--store", "kept"]


def test_without_records_the_command_that_makes_them_is_told(tmp_path: Path) -> None:
    nothing = Selection(protocol="ci", scale_name="ci", store=tmp_path, results_dir=tmp_path)
    with pytest.raises(StoreError, match="rdtf-bench run ci --scale ci"):
        find(nothing, "simda")


def test_a_wrong_row_gets_the_close_match(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"Did you mean 'SimDA'\?"):
        find(Selection(protocol="ci", scale_name="ci", store=tmp_path), "SimDAA")
