from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rdtf_bench.core.errors import DataError
from rdtf_bench.data.reading.clips import all_frames, clip_frames, keyframe_places
from tests.data.clips import clip_of
from tests.data.videos import write_video


def test_the_scored_clip_goes_over_the_whole_loop(tmp_path: Path, animation: Callable[..., Path]) -> None:
    clip = clip_of(animation(tmp_path / "a.png", 16), 16)
    assert clip_frames(clip, num_frames=8, size_px=8)[:, 0, 0, 0].tolist() == [20 * number for number in range(8)]
    with pytest.raises(DataError, match="has 16 frames, and a clip that is scored needs 17"):
        clip_frames(clip, num_frames=17, size_px=8)


def test_training_frames_are_all_or_as_many_as_allowed(tmp_path: Path, animation: Callable[..., Path]) -> None:
    clip = clip_of(animation(tmp_path / "a.png", 12), 12)
    frames = all_frames(clip, most=32, size_px=8)
    assert frames.shape == (12, 3, 8, 8)
    assert frames.dtype == torch.uint8
    assert len(all_frames(clip, most=5, size_px=8)) == 5


def test_frames_by_time_repeat_what_is_shown_longer(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    frames = [Image.new("RGB", (8, 8), (level, 0, 0)) for level in (0, 90, 180)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=[200, 100, 100])
    by_time = clip_frames(clip_of(path, 3), num_frames=4, size_px=8, frames_by="time")
    assert by_time[:, 0, 0, 0].tolist() == [0, 0, 90, 180]
    assert all_frames(clip_of(path, 3), most=8, size_px=8, frames_by="time")[:, 0, 0, 0].tolist() == [0, 0, 90]


def test_a_window_of_a_video_and_its_pictures_are_the_same_clip(tmp_path: Path) -> None:
    frames = [np.full((16, 24, 3), 10 * number, np.uint8) for number in range(20)]
    window = clip_of(write_video(tmp_path / "a.mp4", frames), 8, window=(5, 8))
    paths = tuple(tmp_path / f"{number}.png" for number in range(5, 13))
    for path, frame in zip(paths, frames[5:13], strict=True):
        Image.fromarray(frame).save(path)
    pictures = clip_of(tmp_path, 8, frames=paths)
    found = clip_frames(window, num_frames=4, size_px=8)
    assert found[:, 0, 0, 0].tolist() == pytest.approx([50, 70, 90, 110], abs=1)
    assert (found.int() - clip_frames(pictures, num_frames=4, size_px=8).int()).abs().max() <= 1
    assert len(all_frames(pictures, most=99, size_px=8)) == 8


def test_a_frame_is_stretched_or_its_central_square_is_taken(tmp_path: Path) -> None:
    frame = np.zeros((8, 16, 3), np.uint8)
    frame[:, 4:12] = 200
    paths = (tmp_path / "0.png", tmp_path / "1.png")
    for path in paths:
        Image.fromarray(frame).save(path)
    clip = clip_of(tmp_path, 2, frames=paths)
    assert clip_frames(clip, num_frames=2, size_px=8)[0, 0, 0, 0] == 0
    assert (clip_frames(clip, num_frames=2, size_px=8, fit="crop") == 200).all()


def test_key_frames_are_the_nearest_of_the_frames_that_are_kept(tmp_path: Path) -> None:
    def places(*keyframes: int, most: int) -> tuple[int, ...]:
        return keyframe_places(clip_of(tmp_path / "a.gif", 12, keyframes=keyframes), most=most)

    assert places(1, 4, 11, most=16) == (1, 4, 11)
    assert places(1, 4, 11, most=4) == (0, 1, 3)  # frames 0, 3, 6 and 9 are kept
    assert places(0, 1, most=4) == (0,)
    assert places(most=4) == ()
