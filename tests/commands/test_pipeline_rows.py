"""The option --pipeline as a user gives it; no pipeline is loaded."""

import json
from pathlib import Path

import pytest
from PIL import Image

from rdtf_bench.run.table.external import pipelines
from tests.arenas import filled
from tests.command_line import rdtf_bench


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    """Return the file of a pipeline whose weights are one byte."""
    (tmp_path / "mine" / "unet").mkdir(parents=True)
    (tmp_path / "mine" / "unet" / "weights").write_text("1")
    index = {"_class_name": "StableVideoDiffusionPipeline", "unet": ["diffusers", "U"]}
    (tmp_path / "mine" / "model_index.json").write_text(json.dumps(index))
    file = tmp_path / "mine.yaml"
    file.write_text("kind: pipeline\nname: mine\ntitle: My model\npath: mine\n")
    return file


def test_a_plan_has_a_row_for_each_pipeline(
    pipeline: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = str(pipeline.parent / "store")
    added = ["--pipeline", str(pipeline), "--pipeline", str(pipeline.parent / "mine")]
    status, printed = rdtf_bench(monkeypatch, capsys, "plan", "ci", "--scale", "ci", "--store", store, *added)
    assert status == 2
    assert "rows ['My model', 'mine'] would measure the same thing twice" in printed
    pipeline.write_text(pipeline.read_text() + "num_frames: 14\n")
    status, printed = rdtf_bench(monkeypatch, capsys, "plan", "ci", "--scale", "ci", "--store", store, *added)
    assert status == 0
    rows = [line.split(maxsplit=1)[1] for line in printed.splitlines() if "added row" in line]
    assert [row.partition("  ")[0] for row in rows] == ["My model", "mine"]
    assert all("fvd,vqa,clip,params" in row and "to do" in row for row in rows)


def test_a_name_of_two_added_rows_is_refused(
    pipeline: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clips = pipeline.parent / "clips" / "a"
    clips.mkdir(parents=True)
    for number in range(2):
        Image.new("RGB", (8, 8)).save(clips / f"{number}.png")
    added = ["--with", f"My model={clips.parent}", "--pipeline", str(pipeline)]
    status, printed = rdtf_bench(monkeypatch, capsys, "show", "ci", "--scale", "ci", *added)
    assert status == 2
    assert "--with and --pipeline both name a row 'My model': give one of them another name" in printed


def test_a_protocol_without_trained_rows_refuses_a_pipeline(
    pipeline: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status, printed = rdtf_bench(monkeypatch, capsys, "run", "table8", "--pipeline", str(pipeline))
    assert status == 2
    assert "table8: --pipeline cannot be given here: this protocol trains no rows. Leave it out." in printed
    status, printed = rdtf_bench(monkeypatch, capsys, "run", "table8", "--data", "asg=fluent")
    assert status == 2
    assert "table8: --data cannot be given here: this protocol reads no data. Leave it out." in printed


def test_an_arena_ranks_the_clips_of_a_pipeline(
    pipeline: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store, out = pipeline.parent / "store", pipeline.parent / "arena.html"
    make = ["arena", "make", "table5", "--scale", "ci", "--clips", "2", "--out", str(out)]
    make += ["--store", str(store), "--pipeline", str(pipeline)]
    status, printed = rdtf_bench(monkeypatch, capsys, *make)
    assert status == 6
    assert f"Run: rdtf-bench run table1 --scale ci --pipeline {pipeline} --store {store}" in printed
    filled(store, pipelines.read([str(pipeline)]))
    status, printed = rdtf_bench(monkeypatch, capsys, *make)
    assert status == 0
    assert printed.startswith(f"{out}: 6 rankings of 5 rows for 2 clips")


def test_validate_reads_a_pipeline_too(
    pipeline: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status, printed = rdtf_bench(monkeypatch, capsys, "validate", str(pipeline))
    assert (status, printed) == (0, f"{pipeline}: a pipeline, My model\n")
    pipeline.write_text(pipeline.read_text() + "size: 3\n")
    status, printed = rdtf_bench(monkeypatch, capsys, "validate", str(pipeline))
    assert status == 2
    assert "mine.yaml:5: size: there is no such key" in printed
