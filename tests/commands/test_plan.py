"""What `rdtf-bench plan` says of a machine."""

from pathlib import Path

import pytest

from tests.command_line import rdtf_bench

ONE_ROW = """
extends: ci
kind: table
name: one
title: One row
rows: [{label: RDTF, method: rdtf}]
"""


def test_memory_and_seconds_are_told_when_they_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    protocol = tmp_path / "one.yaml"
    protocol.write_text(ONE_ROW)
    plan = ("plan", str(protocol), "--scale", "ci", "--store", str(tmp_path / "store"))
    status, printed = rdtf_bench(monkeypatch, capsys, *plan)
    assert status == 0
    assert "GiB" not in printed
    status, more = rdtf_bench(monkeypatch, capsys, *plan, "--memory", "--processes", "2", "--probe")
    assert status == 0
    assert more.startswith(printed)
    rows = [line.split() for line in more.splitlines() if line.startswith("RDTF")]
    assert [len(rows[0]), rows[0][-2:]] == [13, ["24", "GB"]]
    assert [len(rows[1]), rows[1][-1]] == [5, "n/a"]
    assert not (tmp_path / "store").exists()


def test_sharded_weights_need_less_and_more_than_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    protocol = tmp_path / "one.yaml"
    protocol.write_text(ONE_ROW)
    plan = ("plan", str(protocol), "--scale", "ci", "--store", str(tmp_path / "store"), "--memory")
    trained = []
    for sharded in ((), ("--shard-weights",)):
        printed = rdtf_bench(monkeypatch, capsys, *plan, "--processes", "2", *sharded)[1]
        trained += [float(line.split()[1]) for line in printed.splitlines() if line.startswith("RDTF")]
    assert trained[1] == pytest.approx(trained[0] / 2, rel=0.1)  # printed with one digit
    status, printed = rdtf_bench(monkeypatch, capsys, *plan, "--shard-weights")
    assert status == 2
    assert "--shard-weights: a row is trained by one process" in printed
    assert "Give --processes 2 or more as well" in " ".join(printed.split())


def test_a_scale_for_a_gpu_points_to_the_options(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = ("plan", "table1", "--scale", "gpu", "--store", str(tmp_path))
    assert "What the rows need of a GPU: --memory." in rdtf_bench(monkeypatch, capsys, *plan)[1]


def test_a_protocol_without_trained_rows_refuses_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status, printed = rdtf_bench(monkeypatch, capsys, "plan", "table8", "--memory", "--probe")
    assert status == 2
    assert "--memory, --probe cannot be given here" in printed
