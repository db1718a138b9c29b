"""What a user sees: exit statuses, one clear error, no traceback. Nothing here trains."""

import errno
import json
import os
import zlib
from pathlib import Path

import pytest
from PIL import Image

from rdtf_bench.data.toy import stickers as toy_stickers
from tests.command_line import rdtf_bench


def sticker(path: Path, frames: int = 8) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    tint = zlib.crc32(path.name.encode())  # so that no two files have the same bytes
    images = [Image.new("RGB", (8, 8), (20 * i, tint >> 8 & 255, tint & 255)) for i in range(frames)]
    images[0].save(path, save_all=True, append_images=images[1:], duration=100, loop=0)


FINETUNE = ["finetune", "simda", "--base", "ali-vilab/i2vgen-xl", "--out", "adapter", "--data"]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["run", "tabel1"], 2, "there is no protocol 'tabel1'. Did you mean 'table1'?"),
        (["show", "table1", "--format", "jsn"], 2, "there is no format 'jsn'. Did you mean 'json'?"),
        (["show", "table1", "--scale", "tinny"], 2, "there is no scale 'tinny'. Did you mean 'tiny'?"),
        (["show", "table1", "--fromat", "md"], 2, "No such option"),
        (["run", "table1", "--data", "asg"], 4, "is not of the form NAME=FOLDER"),
        (["run", "table1", "--data", "agg=x"], 2, "there is no dataset 'agg'. Did you mean 'asg'?"),
        (["run", "table1", "--data", "asg=nowhere"], 4, "nowhere"),
        (["run", "table1", "--data", "asg=fluent"], 4, "rdtf-bench data fetch fluent"),
        (["data", "fetch", "fluentt"], 2, "Did you mean 'fluent'?"),
        (["assets", "build", "toys"], 2, "Did you mean 'toy'?"),
        (["assets", "fetch", "vgg61"], 2, "there is no asset 'vgg61'. Did you mean 'vgg16'?"),
        (["assets", "verify", "toy/clop"], 2, "Did you mean 'toy/clip'?"),
        (["assets", "add", "toy/clip", "."], 5, "toy/clip: comes with its package"),
        (["conditions", "export", "tabel1", "--out", "x"], 2, "Did you mean 'table1'?"),
        (["run", "table1", "--with", "mine"], 2, "--with 'mine' is not of the form NAME=FOLDER"),
        (["show", "table1", "--with", "mine=nowhere"], 4, "nowhere: there is no such folder"),
        (["plan", "table1", "--method", "simdaa"], 2, "there is no method 'simdaa'. Did you mean 'simda'?"),
        (["plan", "table1", "--method", "simda"], 2, "would measure the same thing twice"),
        (["power", "tabel1"], 2, "Did you mean 'table1'?"),
        (["power", "table3", "--scale", "gpu"], 6, "fewer than two methods have been measured"),
        (["run", "table1", "--row", "SimDa"], 2, "there is no row of table1 'SimDa'. Did you mean 'SimDA'?"),
        (["run", "table8", "--row", "RDTF"], 2, "table8: --row cannot be given here"),
        (["run", "table8", "--seeds", "3"], 2, "table8: --seeds cannot be given here"),
        (["run", "table8", "--workers", "4"], 2, "table8: --workers cannot be given here"),
        (["run", "figure4", "--engine", "ray"], 2, "figure4: --engine cannot be given here"),
        (["publish", "table8", "--seeds", "3"], 2, "table8: --seeds cannot be given here"),
        (["show", "table7", "--data", "asg=."], 2, "table7: --data cannot be given here"),
        (["check", "--results", "nowhere"], 6, "nothing was published there to compare with"),
        (["ui"], 6, "nothing has been logged there yet"),
        (["ui", "--tracking-uri", "./mlruns"], 8, "./mlruns: is a folder of files"),
        (["sync"], 6, "runs: holds no finished table and no fine-tuning"),
        (["run", "ci", "--tracking-uri", "sqlite:///nowhere/mlflow.db"], 8, "there is no folder nowhere. Give"),
        (["run", "table1", "--scale", "paper"], 5, "t5-base: "),
        (["ablate", "gain"], 2, "there is no ablation 'gain'. Did you mean 'gains'?"),
        (["generate", "--known", "10x"], 2, "'10x' is no mask"),
        (["generate", "--known", "10000000"], 2, "neither a known frame nor a text was given"),
        (["generate", "--prompt", "a star", "--scale", "tiny"], 6, "is not trained yet. Run: rdtf-bench run table1"),
        (["params", "rdft"], 2, "there is no method 'rdft'. Did you mean 'rdtf'?"),
        (["params", "rdtf", "--format", "jsn"], 2, "there is no format 'jsn'. Did you mean 'json'?"),
        (["params", "simda", "--option", "places"], 2, "--option 'places' is not of the form NAME=VALUE"),
        (["params", "simda", "--option", "places=al"], 2, "places: Input should be 'attention' or 'all'"),
        ([*FINETUNE, "nowhere", "--task", "t2v"], 2, "there is no task that gives a frame 't2v'"),
        ([*FINETUNE, "nowhere", "--option", "rank=4"], 2, "simda has no option rank; it has "),
        ([*FINETUNE, "nowhere", "--tracking-uri", "./mlruns"], 8, "./mlruns: is a folder of files"),
        ([*FINETUNE, "nowhere"], 4, "nowhere: there is no such folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_users_fault_is_one_clear_error(
    arguments: list[str],
    status: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RDTF_BENCH_STORE", str(tmp_path / "runs"))
    monkeypatch.setenv("RDTF_BENCH_ASSETS", str(tmp_path / "assets"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    got, printed = rdtf_bench(monkeypatch, capsys, *arguments)
    assert got == status
    assert said in printed
    assert "Traceback" not in printed


def test_a_folder_without_animations_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "data").mkdir()
    status, printed = rdtf_bench(
        monkeypatch, capsys, "run", "table1", "--data", f"asg={tmp_path / 'data'}", "--store", str(tmp_path / "runs")
    )
    assert status == 4
    assert str(tmp_path / "data") in printed


def test_too_few_test_clips_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(3):
        sticker(tmp_path / "data" / f"red ball {number}.gif")
    status, printed = rdtf_bench(
        monkeypatch, capsys, "run", "table1", "--data", f"asg={tmp_path / 'data'}", "--store", str(tmp_path / "runs")
    )
    assert status == 4
    assert "at least 50 are needed" in printed


def test_a_broken_file_stops_the_run_and_names_the_way_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sticker(tmp_path / "data" / "good.gif")
    sticker(tmp_path / "data" / "cut.gif")
    whole = (tmp_path / "data" / "cut.gif").read_bytes()
    (tmp_path / "data" / "cut.gif").write_bytes(whole[: len(whole) // 2])
    status, printed = rdtf_bench(
        monkeypatch, capsys, "run", "table1", "--data", f"asg={tmp_path / 'data'}", "--store", str(tmp_path / "runs")
    )
    assert status == 4
    assert "cut.gif" in printed
    assert "--skip-broken" in printed


def test_a_table_that_was_never_run_has_no_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sticker(tmp_path / "data" / "a.gif")
    data = f"asg={tmp_path / 'data'}"
    for number in range(60):
        sticker(tmp_path / "data" / f"ball {number}.gif")
    rows = "\n".join(f"ball {n}.gif,ball {n},{'test' if n < 50 else 'train'}" for n in range(60))
    (tmp_path / "data" / "metadata.csv").write_text(f"file_name,text,split\na.gif,a,validation\n{rows}\n")
    arguments = ("show", "table1", "--data", data, "--store", str(tmp_path / "runs"), "--format", "json")
    status, printed = rdtf_bench(monkeypatch, capsys, *arguments)
    assert (status, json.loads(printed)) == (0, [])


def test_a_disk_that_fills_up_is_one_clear_error_and_leaves_nothing_half_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write = toy_stickers.render
    calls = []

    def fill(draw: toy_stickers.Draw) -> list[Image.Image]:
        calls.append(draw)
        if len(calls) == 5:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(draw)

    monkeypatch.setattr(toy_stickers, "render", fill)
    status, said = rdtf_bench(monkeypatch, capsys, "data", "inspect", "asg", "--store", str(tmp_path))
    assert status == 6
    assert "rdtf-bench: the disk is full." in said
    assert "Traceback" not in said
    assert list((tmp_path / "data").iterdir()) == []
