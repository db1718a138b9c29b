"""The options of a command, which its messages repeat where they name a further command."""

from pathlib import Path

import pytest

from rdtf_bench.commands.selection import Selection
from rdtf_bench.core.errors import ProtocolError
from tests.command_line import rdtf_bench


def test_the_options_of_a_further_command_name_what_is_not_the_default() -> None:
    assert Selection(protocol="table1", scale_name="tiny").options == []
    chosen = Selection(
        protocol="table1",
        data=("asg=DIR", "ophnet=OTHER"),
        clips=("mine=CLIPS",),
        methods=("probe",),
        pipelines=("pipe",),
        seeds=2,
        store=Path("kept"),
    )
    assert chosen.options == [
        *("--data", "asg=DIR", "--data", "ophnet=OTHER", "--with", "mine=CLIPS", "--method", "probe"),
        *("--pipeline", "pipe", "--seeds", "2", "--store", "kept"),
    ]


def test_weights_are_divided_over_several_processes_only() -> None:
    assert Selection(protocol="table1", shard_weights=True, processes=2).shard_weights
    with pytest.raises(ProtocolError, match="Give --processes 2 or more as well, or leave --shard-weights out"):
        Selection(protocol="table1", shard_weights=True)


@pytest.mark.parametrize("verb", ["show", "publish", "power"])
def test_a_table_that_is_not_measured_is_told_with_the_command_that_measures_this_very_table(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "400")
    data = "ophnet=unused folder"  # of a dataset that the table does not take, so that no folder is read
    options = ["--scale", "ci", "--data", data, "--store", "kept"]
    _, printed = rdtf_bench(monkeypatch, capsys, verb, "table1", *options)
    said = " ".join(printed.split())
    assert "rdtf-bench run table1 --scale ci --data 'ophnet=unused folder' --store kept" in said


@pytest.mark.parametrize("verb", ["show", "publish"])
def test_costs_that_are_not_measured_are_told_with_the_command_that_measures_them_into_this_store(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "400")
    places = ["--store", "my runs", "--results", "published"]
    _, printed = rdtf_bench(monkeypatch, capsys, verb, "table8", *places)
    assert "rdtf-bench run table8 --store 'my runs'" in " ".join(printed.split())
