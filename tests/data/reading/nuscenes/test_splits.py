import json
from pathlib import Path

import pytest

from rdtf_bench.core.errors import DataError
from rdtf_bench.data.reading.folders.folder import SPLITS
from rdtf_bench.data.reading.nuscenes import splits as nuscenes_splits


def test_the_official_lists_have_their_known_lengths_and_share_no_scene() -> None:
    lengths = {name: len(nuscenes_splits.official(name)) for name in nuscenes_splits.RUNS}
    assert lengths == {"train": 700, "val": 150, "mini_train": 8, "mini_val": 2}
    assert not set(nuscenes_splits.official("train")) & set(nuscenes_splits.official("val"))


@pytest.mark.parametrize(("version", "sizes"), [("v1.0-trainval", (700, 75, 75)), ("v1.0-mini", (7, 1, 2))])
def test_every_scene_is_in_one_split(version: str, sizes: tuple[int, int, int]) -> None:
    found = nuscenes_splits.of_version(version)
    assert tuple(len(found[split]) for split in SPLITS) == sizes
    assert len({scene for members in found.values() for scene in members}) == sum(sizes)


def test_the_half_of_a_scene_does_not_depend_on_the_scenes_that_are_there(tmp_path: Path) -> None:
    tables = tmp_path / "v1.0-trainval"
    scenes = nuscenes_splits.official("val")
    by_scene, told = nuscenes_splits.read(tables, scenes)
    assert told == "official train; val halved by sha256 of the scene into test and validation"
    for scene in scenes[:10]:
        assert nuscenes_splits.read(tables, [scene])[0] == {scene: by_scene[scene]}


def test_scenes_without_an_official_split_are_named(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"scene.json: scenes that are in no official split of v1.0-trainval: 1\n  scene-0077\n"
    ):
        nuscenes_splits.read(tmp_path / "v1.0-trainval", ["scene-0001", "scene-0077"])


@pytest.mark.parametrize(
    ("own", "fault"),
    [
        ("{", "is not JSON"),
        ("[]", "is not an object whose values are lists of scene names"),
        ({"train": "scene-0001"}, "is not an object whose values are lists of scene names"),
        ({"train": ["a"], "test": []}, "has train, test and lacks validation"),
        (
            {"train": ["a"], "test": ["b"], "validation": ["c"]},
            "cannot be used: 1\n  validation: c is not in scene.json",
        ),
        ({"train": ["a"], "test": ["a"], "validation": []}, "cannot be used: 1\n  test: a is already in train"),
    ],
)
def test_faults_of_own_splits_are_named(tmp_path: Path, own: object, fault: str) -> None:
    tables = tmp_path / "v1.0-trainval"
    tables.mkdir()
    (tables / "splits.json").write_text(own if isinstance(own, str) else json.dumps(own))
    with pytest.raises(DataError, match=fault):
        nuscenes_splits.read(tables, ["a", "b"])


def test_own_splits_of_other_names_change_nothing(tmp_path: Path) -> None:
    tables = tmp_path / "v1.0-mini"
    tables.mkdir()
    (tables / "splits.json").write_text(json.dumps({"night": ["scene-1077"]}))
    assert nuscenes_splits.read(tables, ["scene-1077"])[0] == {"scene-1077": "train"}
