"""Scores of two folders as text and as rows."""

import json
from dataclasses import replace
from pathlib import Path

from rdtf_bench.report import comparison
from rdtf_bench.run.compare import FolderComparison
from rdtf_bench.run.record import PartRecord
from tests.planted import score as planted_score

FVD = planted_score(
    yardstick="enet-lite0 64px",
    value=612.41,
    ci_low=540.0,
    ci_high=684.82,
    n=200,
    name="fvd[enet-lite0, n 200]",
    beside={"kernel_distance": 0.0125},
)


def found(**changes: object) -> FolderComparison:
    values: dict[str, object] = {
        "fake": Path("fake"),
        "real": Path("real"),
        "num_fake": 200,
        "num_real": 210,
        "num_frames": 8,
        "width_px": 64,
        "height_px": 48,
        "scores": {"fvd": FVD},
        "notes": ("a note",),
        "skipped_broken": {"fake": ["a.gif"], "real": []},
        "left_out_other_kinds": {"fake": {}, "real": {".avif": 3}},
    }
    return FolderComparison(**{**values, **changes})  # type: ignore[arg-type]


def test_the_text_names_both_sides_the_interval_and_the_yardstick() -> None:
    lines = comparison.text(found()).splitlines()
    assert lines[0] == "fake (200 clips) against real (210 clips): 8 frames of 64x48 px"
    assert "FVD ↓  612.4  [540.0, 684.8]  200  enet-lite0 64px" in lines
    assert "Yardsticks in full: fvd[enet-lite0, n 200]." in lines
    assert "Further figures of the same clips: FVD kernel_distance 0.0125." in lines
    assert lines[-1] == "a note"
    assert "WARNING" not in comparison.text(found())


def test_each_part_has_a_line_and_its_values_in_the_file(tmp_path: Path) -> None:
    part = PartRecord(value=120.81, ci_low=107.2, ci_high=134.4, without_group=(1.0, 2.0))
    parted = found(scores={"fvd": replace(FVD, parts={"motion": part})})
    lines = comparison.text(parted).splitlines()
    assert "FVD motion ↓  120.8  [107.2, 134.4]  200  enet-lite0 64px" in lines
    assert any(line.startswith("FVD appearance: the Fréchet distance") for line in lines)
    comparison.write(parted, tmp_path / "scores.json")
    (row,) = json.loads((tmp_path / "scores.json").read_text())
    assert row["parts"] == {"motion": {"value": 120.81, "ci_low": 107.2, "ci_high": 134.4}}


def test_without_parts_it_says_why() -> None:
    assert "FVD appearance and FVD motion: n/a. The features of I3D" in comparison.text(found())


def test_few_clips_are_warned_about() -> None:
    assert "WARNING: n = 127. Below 128 clips" in comparison.text(found(scores={"fvd": replace(FVD, n=127)}))


def test_rows_are_written_whole_with_the_clips_that_they_compare(tmp_path: Path) -> None:
    comparison.write(found(), tmp_path / "new" / "scores.json")
    (row,) = json.loads((tmp_path / "new" / "scores.json").read_text())
    assert (row["metric"], row["value"], row["n"], row["beside"]) == ("fvd", 612.41, 200, {"kernel_distance": 0.0125})
    assert (row["fake"], row["real"], row["num_frames"], row["height_px"]) == ("fake", "real", 8, 48)
    assert row["skipped_broken"] == {"fake": ["a.gif"], "real": []}
    assert row["left_out_other_kinds"] == {"fake": {}, "real": {".avif": 3}}
