import json
from collections.abc import Callable
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest
import torch
from PIL import Image

from rdtf_bench.core.errors import DataError
from rdtf_bench.data.reading.decode import decode_animation
from rdtf_bench.data.reading.folders.animations import Animation, common_shape, read, read_captions

Writer = Callable[..., Path]


def find(root: Path) -> tuple[Animation, ...]:
    folder = read(root)
    folder.require_unbroken()
    return folder.clips


def video(path: Path, num_frames: int = 8, *, size: int = 32, codec: str = "libx264") -> Path:
    """Plain grey frames whose level tells their number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(path, "w") as container:
        stream = cast(av.VideoStream, container.add_stream(codec, rate=8))
        stream.width = stream.height = size
        stream.pix_fmt = "yuv420p"
        for number in range(num_frames):
            grey = np.full((size, size, 3), 10 + 20 * number, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grey, "rgb24")))
        container.mux(stream.encode())
    return path


def frames(folder: Path, num_frames: int = 8, *, size: int = 32, suffix: str = ".png") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(num_frames):
        Image.new("RGB", (size, size), (10 + 20 * number,) * 3).save(folder / f"{number}{suffix}")
    return folder


def test_every_kind_of_clip_is_found_by_its_path(tmp_path: Path, animation: Writer) -> None:
    animation(tmp_path / "a.gif", 8)
    animation(tmp_path / "b" / "c.webp", 9)
    animation(tmp_path / "d.png", 10)
    video(tmp_path / "e.mp4", 11)
    frames(tmp_path / "f" / "g", 12)
    (tmp_path / "metadata.jsonl").touch()
    assert [(clip.id, clip.num_frames) for clip in find(tmp_path)] == [
        ("a", 8),
        ("b/c", 9),
        ("d", 10),
        ("e", 11),
        ("f/g", 12),
    ]


@pytest.mark.parametrize("codec", ["libx264", "mpeg4", "libvpx-vp9"])
def test_a_video_shows_its_frames_in_order(tmp_path: Path, codec: str) -> None:
    video(tmp_path / ("a.webm" if "vp9" in codec else "a.mp4"), 10, codec=codec)
    (clip,) = find(tmp_path)
    pixels = decode_animation(clip, common_shape([clip], num_frames=5, size_px=16))
    assert pixels.shape == (5, 3, 16, 16)
    levels = pixels[:, :, 8, 8].float()
    # limited range and lossy coding: within a third of a step from frame to frame
    assert torch.allclose(levels, torch.tensor([10.0, 50, 90, 130, 170])[:, None].expand(5, 3), atol=7)


def test_frames_are_in_the_order_of_their_numbers_and_keep_their_pixels(tmp_path: Path) -> None:
    frames(tmp_path / "clip", 12)
    (clip,) = find(tmp_path)
    pixels = decode_animation(clip, common_shape([clip], num_frames=None, size_px=None))
    assert pixels[:, 0, 0, 0].tolist() == [10 + 20 * number for number in range(12)]
    assert pixels.shape == (12, 3, 32, 32)


def test_frames_and_an_animation_of_the_same_pixels_are_the_same_clip(tmp_path: Path) -> None:
    images = [Image.new("RGB", (32, 32), (10 + 20 * number,) * 3) for number in range(8)]
    (tmp_path / "one").mkdir()
    images[0].save(tmp_path / "one" / "clip.png", save_all=True, append_images=images[1:])
    frames(tmp_path / "two" / "clip", 8)
    (one,), (two,) = find(tmp_path / "one"), find(tmp_path / "two")
    assert one.id == two.id
    shape = common_shape([one, two], num_frames=4, size_px=20)
    assert torch.equal(decode_animation(one, shape), decode_animation(two, shape))


def test_clips_that_cannot_be_used_are_named_together(tmp_path: Path, animation: Writer) -> None:
    whole = animation(tmp_path / "whole.gif", 8)
    (tmp_path / "cut.gif").write_bytes(whole.read_bytes()[:-20])
    animation(tmp_path / "still.gif", 1)
    (tmp_path / "text.mp4").write_text("no video")
    frames(tmp_path / "sizes", 2)
    Image.new("RGB", (5, 5)).save(tmp_path / "sizes" / "9.png")
    frames(tmp_path / "broken", 2)
    (tmp_path / "broken" / "0.png").write_bytes((tmp_path / "broken" / "0.png").read_bytes()[:60])
    with pytest.raises(DataError) as e:
        find(tmp_path)
    said = str(e.value)
    assert "clips that cannot be used: 5" in said
    assert "cut.gif: " in said
    assert "still.gif: is a clip of one frame" in said
    assert "text.mp4: cannot be decoded" in said
    assert "sizes: its frames differ in size: 0.png 32x32, 9.png 5x5" in said
    assert "broken: 0.png: cannot be decoded" in said


def test_frames_where_clips_belong_are_refused_with_the_remedy(tmp_path: Path) -> None:
    frames(tmp_path / "clip", 3)
    with pytest.raises(
        DataError, match=r"(?s)clips that cannot be used: 3.*Put the frames of one clip into a folder of their own"
    ):
        find(tmp_path / "clip")


@pytest.mark.parametrize(("make", "says"), [("", "there is no such folder"), ("note.txt", "holds no clip")])
def test_a_folder_without_clips_is_refused(tmp_path: Path, make: str, says: str) -> None:
    root = tmp_path / "clips"
    if make:
        root.mkdir()
        (root / make).touch()
    with pytest.raises(DataError, match=says):
        find(root)


def test_two_files_of_one_clip_are_refused(tmp_path: Path, animation: Writer) -> None:
    animation(tmp_path / "a.gif", 8)
    video(tmp_path / "a.mp4")
    with pytest.raises(DataError, match=r"a\.mp4: has the clip id 'a', and so has .*a\.gif"):
        find(tmp_path)


def test_links_are_followed_and_what_is_left_out_is_told(tmp_path: Path, animation: Writer) -> None:
    animation(tmp_path / "elsewhere" / "a.gif", 8)
    frames(tmp_path / "elsewhere" / "cafe\u0301", 8)
    root = tmp_path / "clips"
    root.mkdir()
    (root / "linked").symlink_to(tmp_path / "elsewhere")
    (root / "gone").symlink_to("nowhere")
    (root / "note.avif").touch()
    (root / "cut.gif").write_bytes(b"GIF89a")
    folder = read(root)
    assert [clip.id for clip in folder.clips] == ["linked/a", "linked/caf\u00e9"]
    assert folder.other_kinds == {".avif": 1}
    assert {broken.path.name for broken in folder.broken} == {"gone", "cut.gif"}
    with pytest.raises(DataError, match=r"(?s)clips that cannot be used: 2.*Give up\."):
        folder.require_unbroken("Give up.")


def test_frames_beside_a_video_of_the_same_folder(tmp_path: Path) -> None:
    frames(tmp_path / "clip", 8)
    video(tmp_path / "clip" / "another.mp4", 9)
    assert [(clip.id, clip.num_frames) for clip in find(tmp_path)] == [("clip", 8), ("clip/another", 9)]


def test_clips_that_differ_are_named_with_the_flag(tmp_path: Path, animation: Writer) -> None:
    animation(tmp_path / "a.gif", 8)
    animation(tmp_path / "b.gif", 9)
    animation(tmp_path / "c.gif", 9, size=(8, 8))
    clips = find(tmp_path)
    with pytest.raises(DataError, match=r"(?s)differ in frames:.*a\.gif: 8 .*b\.gif: 9 .*--num-frames N"):
        common_shape(clips, num_frames=None, size_px=None)
    with pytest.raises(DataError, match=r"(?s)differ in pixels:.*a\.gif: 6x4 .*c\.gif: 8x8 .*--size PX"):
        common_shape(clips, num_frames=8, size_px=None)
    with pytest.raises(DataError, match=r"(?s)clips that have fewer than 9 frames: 1.*a\.gif: 8 frames"):
        common_shape(clips, num_frames=9, size_px=8)
    assert common_shape(clips, num_frames=8, size_px=8).num_frames == 8
    assert common_shape(clips[1:2], num_frames=None, size_px=None).num_frames == 9


def write_rows(path: Path, *rows: dict[str, str]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_captions_belong_to_clips_of_any_suffix(tmp_path: Path, animation: Writer) -> None:
    animation(tmp_path / "fake" / "a.gif", 8)
    animation(tmp_path / "fake" / "b" / "c.webp", 8)
    frames(tmp_path / "fake" / "d.0", 8)
    path = write_rows(
        tmp_path / "c.jsonl",
        {"file_name": "a.mp4", "text": "one"},
        {"file_name": "other.png", "id": "b/c", "text": "two"},
        {"file_name": "d.0", "text": "three"},
        {"file_name": "not there.gif", "text": "of another clip"},
    )
    clips = find(tmp_path / "fake")
    assert read_captions(path, clips) == {"a": "one", "b/c": "two", "d.0": "three"}
    write_rows(path, *({"file_name": name, "text": name} for name in ("a.gif", ".\\b\\c.webp", "d.0", "\\")))
    assert read_captions(path, clips) == {"a": "a.gif", "b/c": ".\\b\\c.webp", "d.0": "d.0"}


def test_ids_of_captions_may_be_written_on_windows(tmp_path: Path, animation: Writer) -> None:
    animation(tmp_path / "fake" / "b" / "c.webp", 8)
    path = write_rows(tmp_path / "c.jsonl", {"file_name": "other.gif", "id": "b\\c", "text": "one"})
    assert read_captions(path, find(tmp_path / "fake")) == {"b/c": "one"}


def test_captions_belong_to_clips_in_any_normal_form(tmp_path: Path, animation: Writer) -> None:
    animation(tmp_path / "fake" / "cafe\u0301.gif", 8)
    path = write_rows(tmp_path / "c.jsonl", {"file_name": "caf\u00e9.gif", "text": "one"})
    assert read_captions(path, find(tmp_path / "fake")) == {"caf\u00e9": "one"}


def test_a_clip_without_a_caption_or_with_two_is_named(tmp_path: Path, animation: Writer) -> None:
    for name in "abc":
        animation(tmp_path / "fake" / f"{name}.gif", 8)
    clips = find(tmp_path / "fake")
    path = write_rows(tmp_path / "c.jsonl", {"file_name": "a.gif", "text": "x"}, {"file_name": "a.mp4", "text": "y"})
    with pytest.raises(DataError, match=r"c\.jsonl:2: the clip 'a' already has a caption at .*c\.jsonl:1"):
        read_captions(path, clips)
    write_rows(path, {"file_name": "a.gif", "text": "x"})
    with pytest.raises(DataError, match=r"(?s)has no caption for 2 of 3 clips:.*b\.gif.*c\.gif"):
        read_captions(path, clips)
    with pytest.raises(DataError, match=r"captions are read from a \.jsonl or \.csv file"):
        read_captions(tmp_path / "c.txt", clips)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".bmp"])
@pytest.mark.parametrize("length", [0, 12, 30])
def test_a_frame_that_is_broken_from_its_header_on_is_named_and_no_other(
    suffix: str, length: int, tmp_path: Path
) -> None:
    broken = frames(tmp_path / "clip", suffix=suffix) / f"3{suffix}"
    broken.write_bytes(broken.read_bytes()[:length])
    folder = read(tmp_path)
    assert not folder.clips
    assert [(item.path, item.why.partition(":")[0]) for item in folder.broken] == [(tmp_path / "clip", broken.name)]


def test_photographs_that_hold_a_preview_are_frames(tmp_path: Path) -> None:
    (tmp_path / "clip").mkdir()
    for number in range(4):
        photograph, preview = Image.new("RGB", (32, 24), (40 * number, 0, 0)), Image.new("RGB", (8, 6))
        photograph.save(tmp_path / "clip" / f"{number}.jpg", format="MPO", save_all=True, append_images=[preview])
    (clip,) = find(tmp_path)
    assert (clip.num_frames, clip.width_px, clip.height_px) == (4, 32, 24)
