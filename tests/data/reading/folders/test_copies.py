import json
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from rdtf_bench.core.errors import DataError
from rdtf_bench.data.reading.folders import copies
from rdtf_bench.data.reading.folders.folder import read

Spots = list[tuple[int, int]]


def clip(path: Path, spots: Spots, *, colour: tuple[int, int, int] = (200, 0, 0)) -> Path:
    """Six frames of 64 px in which spots grow."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = []
    for number in range(6):
        frame = Image.new("RGB", (64, 64), (255, 255, 255))
        for x, y in spots:
            radius = 4 + 2 * number
            ImageDraw.Draw(frame).ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
        frames.append(frame)
    frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True)
    return path


def look_of(path: Path) -> str:
    with Image.open(path) as image:
        frames = []
        for number in range(image.n_frames):  # type: ignore[attr-defined]
            image.seek(number)
            frames.append(image.convert("RGB").copy)
    return copies.look(frames, len(frames))


def test_a_clip_in_another_tint_is_a_near_copy_and_another_one_is_not(tmp_path: Path) -> None:
    looks = {
        "one": look_of(clip(tmp_path / "one.webp", [(20, 20), (44, 40)])),
        "tinted": look_of(clip(tmp_path / "tinted.webp", [(20, 20), (44, 40)], colour=(190, 20, 0))),
        "other": look_of(clip(tmp_path / "other.webp", [(40, 16), (20, 48)])),
    }
    assert {frozenset(pair) for pair in copies.near(looks)} == {frozenset({"one", "tinted"})}


def test_every_pair_within_the_distance_is_found_and_no_other() -> None:
    base = bytes(range(96))
    looks = {"base": base.hex()}
    for changed in (1, 4, 8, 9, 20):
        bits = bytearray(base)
        for place in range(changed):
            bits[place * 4] ^= 1
        looks[f"{changed} bits"] = bits.hex()
    near = {frozenset(pair) for pair in copies.near(looks)}
    assert {name for name in looks if frozenset({"base", name}) in near} == {"1 bits", "4 bits", "8 bits"}
    assert frozenset({"8 bits", "20 bits"}) not in near


def test_nearly_plain_clips_are_no_copies_of_each_other() -> None:
    assert not copies.telling("")
    assert not copies.telling("0" * 192)
    assert copies.telling("f" * 8 + "0" * 184)


def test_copies_form_one_cluster_and_stay_in_one_split(tmp_path: Path) -> None:
    for number in range(20):
        clip(tmp_path / f"word{number}.webp", [(20, 20), (44, 40)])
    clip(tmp_path / "tinted.webp", [(20, 20), (44, 40)], colour=(190, 20, 0))
    clip(tmp_path / "other.webp", [(40, 16), (20, 48)])
    folder = read(tmp_path, name="asg")
    joined = [found for found in folder.clips if "other" not in found.id]
    assert len({found.cluster for found in joined}) == 1
    assert len({found.split for found in joined}) == 1
    assert len({found.cluster for found in folder.clips}) == 2
    assert (folder.num_copies, folder.num_near_copies) == (20, 2)


def test_copies_in_different_splits_are_an_error(tmp_path: Path) -> None:
    data = clip(tmp_path / "a.webp", [(20, 20)]).read_bytes()
    (tmp_path / "b.webp").write_bytes(data)
    rows = [
        {"file_name": "a.webp", "text": "one", "split": "train"},
        {"file_name": "b.webp", "text": "two", "split": "test"},
    ]
    (tmp_path / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    folder = read(tmp_path, name="asg")
    with pytest.raises(DataError, match=r"1 pair of files with the same.*\n  a.webp \(train\) and b.webp \(test\)"):
        folder.require_one_split()
