"""Every official asset, as a stand-in, through the command line: from `assets add` to tables, scores and stickers."""

import contextlib
import io
import json
import math
import re
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import yaml
from PIL import Image
from safetensors.torch import load_file

from rdtf_bench import cli
from rdtf_bench.run.inputs import datasets
from rdtf_bench.run.selftest import record as selftest_record
from rdtf_bench.spec.load import load_scale
from tests import rehearsal
from tests.rehearsal import Rehearsal

pytestmark = [pytest.mark.slow, pytest.mark.long]
NUM_CLIPS = 3  # a distance that leaves out one clip needs two others
QUALITY = ("fvd", "vqa", "clip")
ALL = (*QUALITY, "params", "seconds")
I3D = "i3d, unverified sha256 "


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Rehearsal, dict[str, str]]]:
    """Give every command of the rehearsal, and return what each of them printed.

    FAST-VQA reads fewer frames and fragments for the tables, but not for `score`. The self-test is taken as passed: its
    probes take minutes through networks of full width, and random weights do not pass them.
    """
    root = tmp_path_factory.mktemp("rehearsal")
    quick = root / "quick.yaml"
    vqa = {"num_frames": 8, "grid": 2}
    quick.write_text(yaml.safe_dump({"extends": str(rehearsal.SCALE), "name": "quick", "metrics": {"vqa": vqa}}))
    prepared = rehearsal.prepare(root, num_clips=NUM_CLIPS, scale=quick)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in prepared.environment.items():
            patch.setenv(name, value)
        patch.setattr(datasets, "MIN_TEST_CLIPS", NUM_CLIPS)
        said = {}
        for name, arguments in prepared.commands.items():
            if name == "run table1":
                selftest_record.save(prepared.store, load_scale(str(quick)), {})
            said[name] = printed_by(patch, arguments)
        yield prepared, said


def printed_by(patch: pytest.MonkeyPatch, arguments: Sequence[str]) -> str:
    """Give a command in this process; capsys serves one test alone, and these commands serve many."""
    patch.setattr("sys.argv", ["rdtf-bench", *arguments])
    printed, status = io.StringIO(), 0
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            cli.main()
        except SystemExit as e:
            status = int(e.code or 0)
    assert status == 0, f"{' '.join(arguments)}\n{printed.getvalue()}"
    return printed.getvalue()


def numbers(said: str) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["method"], row["metric"]): row for row in json.loads(said)}


def test_every_stand_in_is_added_and_pinned(rehearsed: tuple[Rehearsal, dict[str, str]]) -> None:
    said = "\n".join(text for name, text in rehearsed[1].items() if name.startswith("assets add"))
    added = [line.split(":")[0] for line in said.splitlines() if "verified against the bytes of first use" in line]
    parts = ["i2vgen-xl", *(f"i2vgen-xl/{part}" for part in ("vae", "text_encoder", "image_encoder"))]
    assert added == [*parts, "t5-base", "clip-vit-b-32", "i3d-k400", "fast-vqa-b"]


@pytest.mark.parametrize(
    ("table", "methods", "metrics"),
    [
        ("table1", ("customize_a_video", "i2v_adapter", "simda", "rdtf"), ALL),
        ("table2-prediction", ("i2v_adapter", "simda", "rdtf"), ("fvd", "vqa")),
    ],
)
def test_every_row_has_every_score(
    rehearsed: tuple[Rehearsal, dict[str, str]], table: str, methods: Sequence[str], metrics: Sequence[str]
) -> None:
    found = numbers(rehearsed[1][f"show {table}"])
    quality = [metric for metric in metrics if metric in QUALITY]
    expected = {(method, metric) for method in methods for metric in metrics}
    expected |= {(control, metric) for control in ("static", "autoencoder") for metric in quality}
    expected |= {("real", metric) for metric in quality if metric != "fvd"} | {("other_real_clips", "fvd")}
    assert set(found) == expected
    assert all(math.isfinite(row[name]) for row in found.values() for name in ("value", "ci_low", "ci_high"))
    assert {row["n"] for (_, metric), row in found.items() if metric in QUALITY} == {NUM_CLIPS}


def test_no_heading_takes_a_stand_in_for_the_original(rehearsed: tuple[Rehearsal, dict[str, str]]) -> None:
    for table in ("table1", "table2-prediction"):
        said = rehearsed[1][f"show {table} as md"]
        headings = [cell.strip() for cell in said.splitlines()[0].split("|")]
        (fvd,) = [heading for heading in headings if heading.startswith("FVD")]
        assert fvd.startswith(f"FVD ↓ ({I3D}")
        (vqa,) = [heading for heading in headings if heading.startswith("VQA")]
        assert re.search(r"\(fast-vqa-b, unverified sha256 [0-9a-f]{12} 8f 2x2\)$", vqa)
    yardsticks = {row["metric"]: row["yardstick"] for row in numbers(rehearsed[1]["show table1"]).values()}
    assert yardsticks["fvd"].startswith(I3D)
    assert yardsticks["clip"].startswith("clip-vit-b-32, unverified sha256 ")


def test_a_second_run_does_no_work(rehearsed: tuple[Rehearsal, dict[str, str]]) -> None:
    assert "table1: nothing left to do" in rehearsed[1]["run table1 again"]


def test_folders_are_scored_through_the_official_networks(rehearsed: tuple[Rehearsal, dict[str, str]]) -> None:
    scores = {score["metric"]: score for score in json.loads(rehearsed[0].scores.read_text())}
    assert {name: score["n"] for name, score in scores.items()} == dict.fromkeys(QUALITY, NUM_CLIPS)
    assert all(math.isfinite(score["value"]) for score in scores.values())
    assert scores["fvd"]["yardstick"].startswith(I3D)
    assert re.fullmatch("fast-vqa-b, unverified sha256 [0-9a-f]{12} 32f 7x7", scores["vqa"]["yardstick"])
    assert "cannot be compared with published" not in rehearsed[1]["score"]


def test_an_adapter_is_tuned_on_the_base_that_was_added(rehearsed: tuple[Rehearsal, dict[str, str]]) -> None:
    adapter = load_file(rehearsed[0].tuned / "adapter" / "adapter.safetensors")
    assert all(weight.isfinite().all() for weight in adapter.values())
    assert sum(weight.numel() for weight in adapter.values()) > 0
    with Image.open(rehearsed[0].tuned / "samples" / "step-000002.gif") as samples:
        assert samples.n_frames == 8  # type: ignore[attr-defined]


def test_a_sticker_is_generated(rehearsed: tuple[Rehearsal, dict[str, str]]) -> None:
    with Image.open(rehearsed[0].sticker) as sticker:
        assert (sticker.size, sticker.n_frames) == ((64, 64), 8)  # type: ignore[attr-defined]
