"""A small folder in the layout of nuScenes, whose pictures are empty files, and changes of its tables."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from rdtf_bench.data.reading.nuscenes import splits as nuscenes_splits
from rdtf_bench.data.toy import driving

VERSION = "v1.0-trainval"
LISTS = nuscenes_splits.of_version(VERSION)
TRAIN, VALIDATION, TEST = (LISTS[split][0] for split in ("train", "validation", "test"))
SCENES = {TRAIN: 5, VALIDATION: 3, TEST: 3}  # number of key frames: 25 and 13 frames of each camera

Rows = list[dict[str, Any]]


def write(root: Path, scenes: Mapping[str, int] = SCENES, *, version: str = VERSION) -> Path:
    """Write the tables of the stand-in, and an empty file for each picture."""
    (root / version).mkdir(parents=True)
    for name, rows in driving.tables(scenes).items():
        (root / version / f"{name}.json").write_text(json.dumps(rows))
    for shot in driving.shots(scenes):
        path = root / shot.file_name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def change(root: Path, table: str, edit: Callable[[Rows], object]) -> None:
    """Change the rows of a table in place."""
    path = root / VERSION / f"{table}.json"
    rows = json.loads(path.read_text())
    edit(rows)
    path.write_text(json.dumps(rows))
