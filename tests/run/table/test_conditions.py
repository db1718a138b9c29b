"""The conditions of a table as files, for a model that is run elsewhere."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rdtf_bench import catalog
from rdtf_bench.core.errors import StoreError
from rdtf_bench.run.progress import Report, Silent
from rdtf_bench.run.table import conditions
from rdtf_bench.spec.load import load_protocol, load_scale
from rdtf_bench.spec.schema import ClipShape, Scale, TableSpec

TABLE = load_protocol("table1").model_copy(update={"rows": (), "controls": ("static",)})


def small() -> Scale:
    scale = load_scale("tiny")
    return scale.model_copy(update={"clip": ClipShape(num_frames=4, size_px=16)})


def export(spec: TableSpec, stickers: str, store: Path, out: Path) -> list[dict[str, object]]:
    count = conditions.export(
        spec,
        small(),
        source=stickers,
        store=store,
        skip_broken=False,
        out=out,
        report=Report(Silent(), "export", "writing"),
    )
    rows = [json.loads(line) for line in (out / "metadata.jsonl").read_text().splitlines()]
    assert count == len(rows)
    return rows


def test_conditions_are_ids_captions_and_the_known_frames(stickers: str, tmp_path: Path) -> None:
    rows = export(TABLE, stickers, tmp_path / "store", tmp_path / "out")
    assert [row["id"] for row in rows] == sorted(f"asg/{i}" for i in range(1, 51))
    row = next(row for row in rows if row["id"] == "asg/7")
    assert row["text"] == "text 7"
    assert row["known_frames"] == {"0": row["file_name"]}
    data = catalog.load("dataset", "asg")
    seen = data.clip_frames(Path(stickers) / "7.png", num_frames=4, size_px=16)
    with Image.open(tmp_path / "out" / str(row["file_name"])) as image:
        assert np.array_equal(np.asarray(image), seen[0].permute(1, 2, 0).numpy())


def test_other_tasks_give_other_frames_and_a_task_without_text_none(stickers: str, tmp_path: Path) -> None:
    interpolation = TABLE.model_copy(update={"task": "interpolation"})
    rows = export(interpolation, stickers, tmp_path / "store", tmp_path / "interpolation")
    assert {tuple(row["known_frames"]) for row in rows} == {("1", "3"), ("0", "2"), ("0", "3")}  # type: ignore[arg-type]
    assert {
        row["text"]
        for row in export(TABLE.model_copy(update={"task": "i2v"}), stickers, tmp_path / "store", tmp_path / "i2v")
    } == {""}


def test_a_folder_that_holds_something_is_left_alone(stickers: str, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").touch()
    with pytest.raises(StoreError, match="out: the folder exists and is not empty"):
        export(TABLE, stickers, tmp_path / "store", tmp_path / "out")
