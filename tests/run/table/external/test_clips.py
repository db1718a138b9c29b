from pathlib import Path

import pytest
import torch
from PIL import Image

from rdtf_bench import catalog
from rdtf_bench.core.errors import DataError, ProtocolError
from rdtf_bench.core.seeds import generator_for
from rdtf_bench.core.store import Store
from rdtf_bench.core.video import VideoU8
from rdtf_bench.run.inputs import datasets
from rdtf_bench.run.progress import Silent
from rdtf_bench.run.table import context as benches
from rdtf_bench.run.table import sample, work
from rdtf_bench.run.table.external import clips as external
from rdtf_bench.run.table.sample import read_samples
from rdtf_bench.spec.load import load_protocol, load_scale
from rdtf_bench.spec.plan import Cell, plan
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import ClipShape, TableSpec

TABLE = load_protocol("table1").model_copy(update={"rows": (), "controls": ("static",)})
NUM_CLIPS = 50


def small() -> Scale:
    scale = load_scale("tiny")
    return scale.model_copy(update={"clip": ClipShape(num_frames=4, size_px=16)})


def write_frames(folder: Path, video: VideoU8, ids: list[str]) -> Path:
    for clip_id, clip in zip(ids, video, strict=True):
        (folder / clip_id).mkdir(parents=True)
        for number, frame in enumerate(clip):
            Image.fromarray(frame.permute(1, 2, 0).numpy()).save(folder / clip_id / f"{number}.png")
    return folder


def noise(seed: str, num_frames: int = 4, size: int = 16) -> VideoU8:
    return torch.randint(0, 256, (NUM_CLIPS, num_frames, 3, size, size), generator=generator_for(seed)).byte()


def made_elsewhere(spec: TableSpec, stickers: str, tmp_path: Path, video: VideoU8) -> tuple[benches.Bench, list[Cell]]:
    """A bench with the row "mine" whose samples are in the store."""
    scale, store = small(), Store(tmp_path / "store")
    data = datasets.read("asg", stickers, scale.data, 4, store=store.root, skip_broken=False)
    ids = [clip.id for clip in data.clips["test"]]
    rows = external.read([f"mine={write_frames(tmp_path / 'mine', video, ids)}"])
    rows["mine"].require(ids, scale.clip)
    assets = benches.find_assets(scale)
    cells = benches.plan_cells(spec, scale, data.identity, assets, rows)
    bench = benches.make_bench(spec.controls, scale, data, assets, store, rows)
    work.prepare_real(bench, Silent(), "real")
    work.read_external(bench, Silent(), "mine", cells[0])
    return bench, cells


def test_clips_made_elsewhere_become_the_samples_of_a_row(stickers: str, tmp_path: Path) -> None:
    video = noise("mine")
    bench, cells = made_elsewhere(TABLE, stickers, tmp_path, video)
    assert [(cell.label, cell.kind, set(cell.scores)) for cell in cells] == [
        ("mine", "external", {"fvd", "vqa", "clip"}),
        ("static", "control", {"fvd", "vqa", "clip"}),
    ]
    assert torch.equal(read_samples(bench.store.path("samples", cells[0].sample_key)), video)


def test_known_frames_are_overwritten_as_every_methods_are(stickers: str, tmp_path: Path) -> None:
    spec = TABLE.model_copy(update={"task": "prediction", "known_frames": "overwrite"})
    video = noise("mine")
    bench, cells = made_elsewhere(spec, stickers, tmp_path, video)
    real = work.real_clips(bench, "test")
    known = sample.conditions(real, "prediction", slice(None)).known.bool()
    assert 0 < known.sum() < known.numel()
    kept = read_samples(bench.store.path("samples", cells[0].sample_key))
    assert torch.equal(kept[known], real.video[known])
    assert torch.equal(kept[~known], video[~known])


def test_the_identity_is_of_bytes_and_ids_not_of_names_and_places(tmp_path: Path) -> None:
    ids = [f"asg/{i}" for i in range(NUM_CLIPS)]
    one = external.read([f"a={write_frames(tmp_path / 'one', noise('1'), ids)}"])
    same = external.read([f"b={write_frames(tmp_path / 'two', noise('1'), ids)}"])
    other = external.read([f"c={write_frames(tmp_path / 'three', noise('3'), ids)}"])
    swapped = external.read([f"d={write_frames(tmp_path / 'four', noise('1'), ids[::-1])}"])
    prints = [next(iter(found.values())).fingerprint for found in (one, same, other, swapped)]
    assert prints[0] == prints[1]
    assert len(set(prints)) == 3


def test_clips_that_do_not_fit_are_named_before_any_work(tmp_path: Path) -> None:
    ids = [f"asg/{i}" for i in range(NUM_CLIPS)]
    (found,) = external.read([f"mine={write_frames(tmp_path / 'mine', noise('1', 3), ids)}"]).values()
    with pytest.raises(DataError) as e:
        found.require([*ids, "asg/absent"], ClipShape(num_frames=4, size_px=16))
    assert "mine: 1 of 51 clips are missing:\n  asg/absent" in str(e.value)
    assert "50 of 51 clips do not have 4 frames of 16x16:" in str(e.value)
    assert "asg/0: 3 frames of 16x16" in str(e.value)
    assert "conditions export" in str(e.value)
    with pytest.raises(DataError, match="50 of 50 clips do not have 3 frames of 32x32"):
        found.require(ids, ClipShape(num_frames=3, size_px=32))
    found.require(ids, ClipShape(num_frames=3, size_px=16))


def test_missing_clips_are_told_with_those_of_another_case_or_kind(tmp_path: Path) -> None:
    ids = [f"asg/Clip{i}" for i in range(NUM_CLIPS)]
    folder = write_frames(tmp_path / "mine", noise("1"), ids)
    (folder / "clip.avif").touch()
    (found,) = external.read([f"mine={folder}"]).values()
    assert found.left_out() == f"{folder} also holds files of other kinds, which are not read: 1 .avif."
    with pytest.raises(DataError) as e:
        found.require([*ids[1:], "asg/clip0"], ClipShape(num_frames=4, size_px=16))
    assert "1 of 50 clips are missing:\n  asg/clip0 (there is asg/Clip0)" in str(e.value)
    assert "not read: 1 .avif" in str(e.value)
    assert "Upper and lower case are different" in str(e.value)


def test_names_that_are_not_utf8_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="the name of the row is not valid UTF-8"):
        external.read(["caf\udce9=clips"])
    with pytest.raises(DataError, match="the path of the folder is not valid UTF-8"):
        external.read([f"mine={tmp_path}/caf\udce9"])


@pytest.mark.parametrize("given", ["mine", "=x", "mine="])
def test_a_row_needs_a_name_and_a_folder(given: str) -> None:
    with pytest.raises(ProtocolError, match="is not of the form NAME=FOLDER"):
        external.read([given])


def test_a_name_that_the_table_has_is_refused() -> None:
    spec, scale = load_protocol("table1"), load_scale("tiny")
    identity = datasets.identify("asg", None, scale.data, 8, store=Path()).identity
    digests = dict.fromkeys(scale.assets, "d")
    for name in ("RDTF", "static"):
        with pytest.raises(ProtocolError, match=f"table1 has a row '{name}' already"):
            plan(spec, scale, identity, digests, catalog.constants, {name: "f"})
