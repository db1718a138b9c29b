"""The conditions of a table as files, for a model that is run elsewhere."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from rdtf_bench.core.errors import DataError, StoreError
from rdtf_bench.data.reading.clips import clip_frames
from rdtf_bench.run.progress import Report, Silent
from rdtf_bench.run.table import conditions
from rdtf_bench.spec.load import load_protocol, load_scale
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import ClipShape, TableSpec
from tests.data.clips import clip_of

TABLE = load_protocol("table1").model_copy(update={"rows": (), "controls": ("static",)})


def small() -> Scale:
    scale = load_scale("tiny")
    return scale.model_copy(update={"clip": ClipShape(num_frames=4, size_px=16)})


def export(spec: TableSpec, stickers: str, store: Path, out: Path) -> list[dict[str, object]]:
    exported = conditions.export(
        spec,
        small(),
        source=stickers,
        store=store,
        skip_broken=False,
        out=out,
        report=Report(Silent(), "export", "writing"),
    )
    rows = [json.loads(line) for line in (out / "metadata.jsonl").read_text().splitlines()]
    assert len(exported.clips["test"]) == len(rows)
    return rows


def test_conditions_are_ids_captions_and_the_known_frames(stickers: str, tmp_path: Path) -> None:
    rows = export(TABLE, stickers, tmp_path / "store", tmp_path / "out")
    assert [row["id"] for row in rows] == sorted(f"asg/{i}" for i in range(1, 51))
    row = next(row for row in rows if row["id"] == "asg/7")
    assert row["text"] == "text 7"
    assert row["known_frames"] == {"0": row["file_name"]}
    seen = clip_frames(clip_of(Path(stickers) / "7.png", 5), num_frames=4, size_px=16)
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


def with_ids(stickers: str, **ids: str) -> str:
    """Give clips of the folder another id; `_7="A"` is for 7.png."""
    path = Path(stickers) / "metadata.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows = [{**row, "id": ids.get("_" + row["file_name"].removesuffix(".png"), row["file_name"])} for row in rows]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return stickers


def test_ids_that_differ_in_case_only_are_refused_where_the_disk_does_not_tell_them_apart(
    stickers: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not conditions._ignores_case(tmp_path)  # as on Linux
    named = with_ids(stickers, _7="cat/wave", _8="Cat/jump")
    assert len(export(TABLE, named, tmp_path / "store", tmp_path / "linux")) == 50
    monkeypatch.setattr(conditions, "_ignores_case", lambda _: True)
    with pytest.raises(DataError, match="does not tell the ids 'asg/Cat' and 'asg/cat' apart"):
        export(TABLE, named, tmp_path / "store", tmp_path / "mac")


def test_a_place_that_cannot_be_written_is_named(stickers: str, tmp_path: Path) -> None:
    named = with_ids(stickers, _7="cat", _8="cat/0.png")  # a frame of the first is the folder of the second
    with pytest.raises(StoreError, match=r"known_frames/asg/cat/0\.png: cannot be written: "):
        export(TABLE, named, tmp_path / "store", tmp_path / "out")
