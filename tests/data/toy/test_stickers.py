import json
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from rdtf_bench.data.frames import equal_intervals
from rdtf_bench.data.reading.decode import decode
from rdtf_bench.data.reading.folders.folder import read
from rdtf_bench.data.toy import stickers as toy

FEW = {"train": 24, "validation": 8, "test": 8}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("toy") / "stickers"
    toy.write(folder, counts=FEW)
    return folder


def test_no_pair_of_subject_and_action_is_in_two_splits() -> None:
    train, validation, test = (set(toy.pairs(split)) for split in ("train", "validation", "test"))
    assert not train & validation
    assert not train & test
    assert not validation & test
    assert len(train | validation | test) == len(toy.COLOURS) * len(toy.SHAPES) * len(toy.ACTIONS)


def test_a_split_shows_every_action_and_train_every_subject() -> None:
    for split, count in toy.PAIRS_PER_ACTION.items():
        assert set(Counter(action for _, _, action in toy.pairs(split)).values()) == {count}
    subjects = Counter((colour, shape) for colour, shape, _ in toy.pairs("train"))
    assert len(subjects) == len(toy.COLOURS) * len(toy.SHAPES)
    assert min(subjects.values()) >= 2  # no subject is tied to one action


def test_other_seeds_draw_other_stickers_of_the_same_pairs() -> None:
    ours, other = toy.sticker("train", 3), toy.sticker("train", 3, seed=1)
    assert (ours.colour, ours.shape, ours.action) == (other.colour, other.shape, other.action)
    assert ours.radius != other.radius


def test_frame_counts_have_a_long_tail_and_scored_splits_no_short_clip() -> None:
    counts = [toy.sticker("train", index).num_frames for index in range(toy.COUNTS["train"])]
    assert min(counts) == 4
    assert max(counts) == 32
    assert 11 < sum(counts) / len(counts) < 14
    assert sum(count > 20 for count in counts) < len(counts) / 5 < sum(count <= 10 for count in counts)
    for split in ("validation", "test"):
        assert min(toy.sticker(split, index).num_frames for index in range(toy.COUNTS[split])) >= 8


def test_captions_of_a_scored_split_are_distinct() -> None:
    captions = [toy.sticker("test", index).caption for index in range(toy.COUNTS["test"])]
    assert len(set(captions)) == len(captions)


def test_files_hold_every_drawn_frame(root: Path) -> None:
    for row in map(json.loads, (root / "metadata.jsonl").read_text().splitlines()):
        drawn = toy.sticker(row["split"], int(Path(row["file_name"]).name[:5]))
        with Image.open(root / row["file_name"]) as image:
            assert image.format == "GIF"
            assert image.n_frames == drawn.num_frames  # type: ignore[attr-defined]
            assert image.info["loop"] == 0
            assert 60 < image.info["duration"] <= 250
            for number in range(drawn.num_frames):
                image.seek(number)
                alpha = image.convert("RGBA").getchannel("A")
                assert alpha.getextrema() == (0, 255)  # transparent ground, and never a blank frame
        assert row["text"] == drawn.caption


def test_a_files_pixels_are_the_drawn_ones(root: Path) -> None:
    row = json.loads((root / "metadata.jsonl").read_text().splitlines()[0])
    drawn = toy.render(toy.sticker(row["split"], 0))
    with Image.open(root / row["file_name"]) as image:
        for number, frame in enumerate(drawn):
            image.seek(number)
            assert ImageChops.difference(image.convert("RGBA"), frame.convert("RGBA")).getbbox() is None


def test_the_folder_reader_reads_the_set(root: Path) -> None:
    folder = read(root, name="toy")
    assert folder.counts() == FEW
    assert not folder.broken
    assert not folder.stills


def test_another_write_makes_the_same_bytes_and_a_second_one_nothing(root: Path, tmp_path: Path) -> None:
    toy.write(tmp_path / "again", counts=FEW)
    names = [path.relative_to(root) for path in sorted(root.rglob("*")) if path.is_file()]
    assert len(names) == sum(FEW.values()) + 1
    for name in names:
        assert (tmp_path / "again" / name).read_bytes() == (root / name).read_bytes()
    before = (root / "metadata.jsonl").stat().st_mtime_ns
    toy.write(root, counts=FEW)
    assert (root / "metadata.jsonl").stat().st_mtime_ns == before
    assert [path.name for path in tmp_path.iterdir()] == ["again"]  # no temporary folder is left


def test_eight_frames_show_the_motion_and_the_first_not_the_action(tmp_path: Path) -> None:
    toy.write(tmp_path / "set", counts={"test": 128})
    folder = read(tmp_path / "set", name="toy")
    moved = []
    for clip in folder.clips[::4]:
        frames = decode(clip.path, size_px=64, indices=equal_intervals(clip.num_frames, 8)).float()
        moved.append(float((frames[1:] - frames[0]).abs().mean()))
    assert min(moved) > 3  # grey levels, over a frame that is mostly ground
    for action in toy.ACTIONS:
        assert toy.pose_at(action, 0.0, 1.0) == toy.Pose()


def test_the_fingerprint_changes_with_the_version(monkeypatch: pytest.MonkeyPatch) -> None:
    before = toy.fingerprint()
    assert toy.fingerprint() == before
    monkeypatch.setattr(toy, "VERSION", toy.VERSION + 1)
    assert toy.fingerprint() != before


def test_short_stickers_may_be_left_out() -> None:
    for index in range(20):
        usual, long = toy.sticker("train", index), toy.sticker("train", index, min_frames=16)
        assert long.num_frames >= 16
        assert (long.caption, long.radius, long.duration_ms) == (usual.caption, usual.radius, usual.duration_ms)
