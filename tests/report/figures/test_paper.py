import csv
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rdtf_bench.core.store import Store
from rdtf_bench.report.figures import paper
from rdtf_bench.run.figures import curriculum, losses, plan
from rdtf_bench.run.figures.extraction import Example, row_of
from rdtf_bench.run.figures.plan import PlannedFigure, Row
from rdtf_bench.run.progress import Silent
from rdtf_bench.run.protocols import load_scale
from rdtf_bench.spec.schema import FrameExtraction

EXTRACTION = FrameExtraction(num_clips=9, max_frames=16, k=(2, 3), draws=4, tolerance=8.0, shown_clips=1, shown_k=2)
COVERAGE = [row_of(k, [(0.9, 0.5), (0.7, 0.5)]) for k in (2, 3)]


def write_clip(path: Path, num_frames: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = [Image.new("RGB", (8, 8), (15 * number, 0, 0)) for number in range(num_frames)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100)


def finished(planned: PlannedFigure, rows: list[Row]) -> PlannedFigure:
    planned.folder.mkdir(parents=True)
    plan.write_rows(rows, planned.folder)
    return planned


def planned_at(name: str, store: Path) -> PlannedFigure:
    return PlannedFigure(
        spec=plan.load(name), scale=load_scale("tiny"), source=None, store=Store(store), key="0123456789abcdef"
    )


def test_figure3_is_made_from_a_folder(tmp_path: Path) -> None:
    for name, num_frames in {"a": 4, "b": 12, "c": 16}.items():
        write_clip(tmp_path / "mine" / f"{name}.gif", num_frames)
    planned = plan.plan(plan.load("figure3"), load_scale("tiny"), str(tmp_path / "mine"), tmp_path)
    folder = tmp_path / "figures" / planned.key
    folder.mkdir(parents=True)
    paper.make(planned, folder, skip_broken=False, sink=Silent())
    with Image.open(folder / "figure.png") as picture:
        assert picture.format == "PNG"
    lines = list(csv.DictReader(io.StringIO((folder / "figure.csv").read_text())))
    assert [line["clips"] for line in lines[:3]] == ["1", "2", "0"]
    text = paper.render(planned, format="text")
    assert "clips (asg, mine)" in text
    assert re.search(r"^11-20 +2 +66\.7 +294\.6 +25\.5$", text, re.MULTILINE)
    assert json.loads(paper.render(planned, format="json"))[1]["published_thousands"] == 294.6


def test_figure4_says_what_distinct_content_is(tmp_path: Path) -> None:
    text = paper.render(finished(planned_at("figure4", tmp_path), COVERAGE), format="text")
    assert re.search(r"^2 +80\.0 +50\.0 +\+30\.0 +\[\+10\.4, \+49\.6\] +2$", text, re.MULTILINE)
    assert "differences of their pixels is at most 8 of 255" in " ".join(text.split())


def test_the_frames_that_are_taken_are_marked_above_and_below(tmp_path: Path) -> None:
    example = Example(caption="white", frames=np.full((4, 3, 20, 20), 255, np.uint8), clustered=(0,), equal=(3,))
    path = paper.draw_extraction(COVERAGE, [example], EXTRACTION, path=tmp_path / "figure.png")
    with Image.open(path) as picture:
        strip = np.asarray(picture.convert("RGB").crop((0, 0, picture.width, picture.height // 3)))
    blue = (strip == (31, 119, 180)).all(axis=2).nonzero()
    orange = (strip == (255, 127, 14)).all(axis=2).nonzero()
    assert blue[0].max() < orange[0].min()
    assert blue[1].max() < orange[1].min()


def test_figure5_has_a_table_and_a_panel_for_each_part(tmp_path: Path) -> None:
    planned = planned_at("figure5", tmp_path)
    assert planned.spec.curriculum is not None
    followed = losses.of_figure(planned.spec.curriculum, planned.scale, None, tmp_path)
    rows = curriculum.rows(replace(followed, losses=followed.losses[:12]), 4)
    path = paper.draw_curriculum(rows, path=tmp_path / "figure.png")
    with Image.open(path) as picture:
        assert picture.width > 3 * picture.height
    text = paper.render(finished(planned, rows), format="text")
    assert text.count("share of the cases by task and masked frames, %") == 4
    assert "Losses: simulated (400 steps)" in text
    assert paper.render(planned, format="csv").splitlines()[0] == "part,task,masked_frames,share_pct"


@pytest.mark.parametrize("format", ["md", "latex"])
def test_every_format_is_written(format: str, tmp_path: Path) -> None:
    assert "equal intervals" in paper.render(finished(planned_at("figure4", tmp_path), COVERAGE), format=format)
