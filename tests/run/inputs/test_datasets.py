import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from rdtf_bench import catalog
from rdtf_bench.core.errors import DataError, ProtocolError
from rdtf_bench.data import nuscenes
from rdtf_bench.data.reading.folders.folder import Folder
from rdtf_bench.data.sources import hub
from rdtf_bench.run.inputs import datasets
from rdtf_bench.run.inputs.datasets import identify, read
from rdtf_bench.spec.load import load_scale
from tests.data import nuscenes_folder
from tests.data.sources.packing import write_parquet

SIZES = load_scale("tiny").data


def animation(path: Path, num_frames: int) -> None:
    tint = zlib.crc32(path.name.encode())  # so that no two files have the same bytes
    frames = [Image.new("RGB", (6, 4), (10 * number, tint >> 8 & 255, tint & 255)) for number in range(num_frames)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100, loop=0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """60 test clips of 20 drawings, a training clip, a still, a file without metadata, and two of another kind."""
    root = tmp_path / "mine"
    root.mkdir()
    rows = [{"file_name": f"{i}.gif", "text": f"text {i}", "split": "test", "cluster": f"{i % 20}"} for i in range(60)]
    rows.append({"file_name": "train.gif", "text": "training", "split": "train"})
    rows.append({"file_name": "still.gif", "text": "a still", "split": "train"})
    for row in rows:
        animation(root / row["file_name"], 1 if row["file_name"] == "still.gif" else 9)
    animation(root / "nameless.gif", 9)
    for name in ("one.avif", "two.AVIF"):
        (root / name).touch()
    (root / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return root


def test_what_was_left_out_is_counted(folder: Path, tmp_path: Path) -> None:
    found = read("asg", str(folder), SIZES, 8, store=tmp_path / "store", skip_broken=False)
    assert found.facts["in_use"] == {"train": 1, "validation": 0, "test": 60}
    assert found.facts["clusters"] == {"train": 1, "validation": 0, "test": 20}
    assert (found.facts["left_out_stills"], found.facts["left_out_uncaptioned"]) == (1, 1)
    assert found.facts["left_out_other_kinds"] == {".avif": 2}
    assert found.facts["source"] == "mine"


@pytest.mark.parametrize("name", ["toy", "fluent"])
def test_a_folder_with_the_name_of_built_in_data_is_told_from_it(folder: Path, tmp_path: Path, name: str) -> None:
    mine = folder.rename(tmp_path / name)
    found = read("asg", str(mine), SIZES, 8, store=tmp_path / "store", skip_broken=False)
    assert found.facts["source"] == f"{name}-folder"


def test_clips_keep_their_cluster_and_the_identity_knows_it(folder: Path, tmp_path: Path) -> None:
    found = read("asg", str(folder), SIZES, 8, store=tmp_path / "store", skip_broken=False)
    of_drawing_0 = {clip.id for clip in found.clips["test"] if clip.cluster == found.clips["test"][0].cluster}
    assert of_drawing_0 == {"asg/0", "asg/20", "asg/40"}
    text = (folder / "metadata.jsonl").read_text()
    (folder / "metadata.jsonl").write_text(text.replace('"cluster": "7"', '"cluster": "8"'))
    other = read("asg", str(folder), SIZES, 8, store=tmp_path / "store", skip_broken=False)
    assert other.identity.test == found.identity.test
    assert other.identity.test_clusters != found.identity.test_clusters


def test_test_clips_of_one_cluster_are_refused_before_any_work(folder: Path, tmp_path: Path) -> None:
    text = (folder / "metadata.jsonl").read_text()
    (folder / "metadata.jsonl").write_text(re.sub(r'"cluster": "\d+"', '"cluster": "one"', text))
    with pytest.raises(
        DataError, match=r"all test clips are in one cluster \(.+\), and an interval needs at least two"
    ):
        read("asg", str(folder), SIZES, 8, store=tmp_path / "store", skip_broken=False)


def test_the_same_bytes_in_two_splits_are_refused_even_if_broken_files_may_be_skipped(
    folder: Path, tmp_path: Path
) -> None:
    (folder / "train.gif").write_bytes((folder / "7.gif").read_bytes())
    with pytest.raises(DataError, match=r"different splits:\n  7.gif \(test\) and train.gif \(train\)"):
        read("asg", str(folder), SIZES, 8, store=tmp_path / "store", skip_broken=True)


def test_too_few_test_clips_are_refused(folder: Path, tmp_path: Path) -> None:
    text = (folder / "metadata.jsonl").read_text()
    (folder / "metadata.jsonl").write_text(text.replace('"test"', '"train"', 11))
    with pytest.raises(DataError, match="the test split has 49 usable clips, and at least 50 are needed"):
        read("asg", str(folder), SIZES, 8, store=tmp_path / "store", skip_broken=False)


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("asg", "Add animations, or change which are for test"),
        ("ophnet", "Add videos, as with `rdtf-bench data fetch ophnet`"),
        ("nuscenes", "Unpack the pictures of more scenes, samples and sweeps"),
    ],
)
def test_the_dataset_says_what_to_do_for_more_clips(
    name: str, remedy: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = catalog.load("dataset", name)
    folder = Folder(
        root=tmp_path,
        clips=(),
        broken=(),
        stills=(),
        uncaptioned=(),
        other_kinds={},
        captions_from="",
        split_from="",
    )
    monkeypatch.setattr(module, "read", lambda *_, **__: folder)
    with pytest.raises(DataError, match=f"the test split has 0 usable clips, .* {remedy}"):
        read(name, str(tmp_path), SIZES, 8, store=tmp_path / "store", skip_broken=False)


def test_options_of_the_protocol_cut_the_clips_and_are_part_of_their_identity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets, "MIN_TEST_CLIPS", 1)
    scenes = {scene: 5 for split in ("train", "validation", "test") for scene in nuscenes_folder.LISTS[split][:2]}
    root = nuscenes_folder.write(tmp_path / "nuscenes", scenes)

    def cut(options: dict[str, object]) -> datasets.Dataset:
        return identify("nuscenes", str(root), SIZES, 8, store=tmp_path / "store", options=options)

    usual, front, dense = cut({}), cut({"cameras": ["CAM_FRONT"]}), cut({"cameras": ["CAM_FRONT"], "stride": 1})
    assert {clip.id.split("/")[2] for clip in front.clips["test"]} == {"CAM_FRONT"}
    assert len(dense.clips["test"]) > len(front.clips["test"]) < len(usual.clips["test"])
    assert len({data.identity.test for data in (usual, front, dense)}) == 3
    assert "options" not in usual.facts
    assert dense.facts["options"] == {"cameras": ["CAM_FRONT"], "stride": 1}


@pytest.fixture
def small_stand_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(nuscenes, "STAND_IN", {"train": (2, 5), "validation": (1, 3), "test": (1, 3)})
    nuscenes.builtin.cache_clear()
    yield
    nuscenes.builtin.cache_clear()


@pytest.mark.usefixtures("small_stand_in")
def test_options_are_part_of_the_identity_of_the_stand_in(tmp_path: Path) -> None:
    found = [
        identify("nuscenes", None, SIZES, 8, store=tmp_path, options=options).identity.train
        for options in ({}, {"stride": 8}, {"stride": 4}, {"cameras": ["CAM_BACK"]})
    ]
    assert found[0] == found[1]
    assert len(set(found)) == 3
    with pytest.raises(DataError, match=r"too short for clips of 8 key frames\. Give nuScenes itself"):
        identify("nuscenes", None, SIZES, 8, store=tmp_path, options={"keyframes_only": True})


@pytest.mark.parametrize(
    ("name", "options", "says"),
    [
        ("asg", {"stride": 1}, r"dataset_options: asg has no option stride; it has none"),
        ("nuscenes", {"strid": 1}, r"nuscenes has no option strid; it has cameras, keyframes_only, str"),
        ("nuscenes", {"stride": "1"}, "dataset_options: options of nuscenes: stride"),
        ("nuscenes", {"cameras": ["CAM_TOP"]}, "dataset_options: cameras: there is no camera 'CAM_TOP'. Known: CAM"),
    ],
)
def test_a_wrong_option_is_refused(name: str, options: dict[str, object], says: str, tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match=says):
        identify(name, None, SIZES, 8, store=tmp_path, options=options)


def test_only_stickers_are_read_from_the_hub(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"hf:me/x: asg alone is read from the Hub\. Download ophnet"):
        identify("ophnet", "hf:me/x", SIZES, 8, store=tmp_path)


def test_the_record_names_the_commit_of_a_dataset_of_the_hub(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = folder.rename(tmp_path / "c0ffee")
    monkeypatch.setattr(hub, "download", lambda _: hub.Snapshot(root=snapshot, is_packed=False))
    found = read("asg", "hf:me/stickers", SIZES, 8, store=tmp_path / "store", skip_broken=False)
    assert found.facts["source"] == found.identity.source == "hf:me/stickers@c0ffee"


def test_too_few_clips_of_a_packed_file_are_told_by_the_name_that_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(datasets, "MIN_TEST_CLIPS", 2)
    animation(tmp_path / "a.gif", 9)
    data = {"image": [(tmp_path / "a.gif").read_bytes()], "text": ["a"], "split": ["test"]}
    source = write_parquet(tmp_path / "packed.parquet", data)
    with pytest.raises(DataError, match=r"^\S+/packed\.parquet: the test split has 1 usable clips"):
        read("asg", str(source), SIZES, 8, store=tmp_path / "store", skip_broken=False)
