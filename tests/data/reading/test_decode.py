from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rdtf_bench.core.errors import DataError
from rdtf_bench.data.reading.decode import decode, decode_animation, numbers_by_time, pictures
from rdtf_bench.data.reading.folders.animations import Animation, Shape
from tests.data.videos import write_video

WHITE, RED, GREEN, BLUE = [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]


@pytest.mark.parametrize(
    ("disposal", "second"),
    [
        (1, [[RED, GREEN], [RED, RED]]),  # the first frame stays below the second
        (2, [[WHITE, GREEN], [WHITE, WHITE]]),  # it is cleared to the transparent ground
        (3, [[WHITE, GREEN], [WHITE, WHITE]]),  # what was before it comes back: nothing
    ],
)
def test_disposal_and_transparency_of_a_gif(
    disposal: int, second: list[list[list[int]]], tmp_path: Path, gif_bytes: Callable[..., bytes]
) -> None:
    path = tmp_path / "a.gif"
    frames = [(disposal, 0, [[1, 1], [1, 1]]), (1, 0, [[0, 2], [0, 0]])]
    path.write_bytes(gif_bytes(frames))
    video = decode(path, size_px=2, indices=(0, 1))
    assert video.permute(0, 2, 3, 1).tolist() == [[[RED, RED], [RED, RED]], second]


def test_the_palette_colour_below_transparency_does_not_show(tmp_path: Path, gif_bytes: Callable[..., bytes]) -> None:
    path = tmp_path / "a.gif"
    path.write_bytes(gif_bytes([(2, 3, [[3, 1], [3, 3]]), (2, 3, [[3, 3], [3, 2]])]))
    video = decode(path, size_px=2, indices=(0, 1)).permute(0, 2, 3, 1)
    assert video.tolist() == [[[WHITE, RED], [WHITE, WHITE]], [[WHITE, WHITE], [WHITE, GREEN]]]


@pytest.mark.parametrize("suffix", [".webp", ".png"])
def test_half_transparent_pixels_are_blended_with_white(suffix: str, tmp_path: Path) -> None:
    frames = [Image.new("RGBA", (4, 4), (level, 0, 0, 128)) for level in (0, 200)]
    path = tmp_path / f"a{suffix}"
    if suffix == ".webp":
        frames[0].save(path, save_all=True, append_images=frames[1:], lossless=True, exact=True)
    else:
        frames[0].save(path, save_all=True, append_images=frames[1:], blend=0)
    # 255 - 128/255 * (255 - level), within one level of rounding
    wanted = torch.tensor([[127, 127, 127], [227, 127, 127]])
    assert (decode(path, size_px=4, indices=(0, 1))[:, :, 2, 2].int() - wanted).abs().max() <= 1


def test_indices_come_in_the_order_given_with_repeats(tmp_path: Path, animation: Callable[..., Path]) -> None:
    path = animation(tmp_path / "a.png", 8)
    assert decode(path, size_px=4, indices=(5, 0, 0, 7, 5))[:, 0, 0, 0].tolist() == [50, 0, 0, 70, 50]


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png", ".apng"])
def test_every_frame_of_each_format_is_decoded(suffix: str, tmp_path: Path, animation: Callable[..., Path]) -> None:
    path = animation(tmp_path / f"a{suffix}", 9)
    video = decode(path, size_px=4, indices=range(9))
    assert video[:, 0, 0, 0].tolist() == [10 * number for number in range(9)]


def test_the_picture_before_an_apng_is_no_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 4), (level, 0, 0)) for level in (0, 90, 180)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:], default_image=True)
    assert decode(tmp_path / "a.png", size_px=4, indices=(0, 1))[:, 0, 0, 0].tolist() == [90, 180]


def test_a_frame_is_stretched_with_an_antialiased_bicubic(tmp_path: Path) -> None:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (2, 3, 24, 40), dtype=torch.uint8, generator=generator)
    frames = [Image.fromarray(np.ascontiguousarray(frame.permute(1, 2, 0).numpy())) for frame in pixels]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:])
    video = decode(tmp_path / "a.png", size_px=16, indices=(0, 1))
    independent = torch.nn.functional.interpolate(
        pixels.double(), size=(16, 16), mode="bicubic", antialias=True, align_corners=False
    )
    # Pillow filters rows, rounds, then columns: 2 levels
    assert (video.double() - independent.clamp(0, 255)).abs().max() <= 2


def test_what_cannot_be_decoded_is_an_error_with_its_place(tmp_path: Path, animation: Callable[..., Path]) -> None:
    path = animation(tmp_path / "a.gif", 3)
    with pytest.raises(DataError, match=r"a.gif: has no frame 3, which was requested"):
        decode(path, size_px=4, indices=(0, 3))
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DataError, match=r"a.gif: the file is cut off"):
        decode(path, size_px=4, indices=range(3))
    with pytest.raises(DataError, match=r"none.gif: cannot be read: No such file"):
        decode(tmp_path / "none.gif", size_px=4, indices=range(3))


def test_frames_by_time_are_those_that_are_shown(tmp_path: Path, gif_bytes: Callable[..., bytes]) -> None:
    path = tmp_path / "a.gif"
    path.write_bytes(gif_bytes([(1, None, [[0]], 0, 0, 30), (1, None, [[1]], 0, 0, 10), (1, None, [[2]], 0, 0, 20)]))
    assert numbers_by_time(path, count=6) == (0, 0, 0, 1, 2, 2)
    assert numbers_by_time(path, count=2) == (0, 1)
    assert numbers_by_time(path, count=3) == (0, 0, 2)
    clip = Animation(id="a", path=path, frames=(), num_frames=3, width_px=1, height_px=1)
    by_time = decode_animation(clip, Shape(num_frames=6, size_px=None, frames_by="time"))
    assert by_time[:, :, 0, 0].tolist() == [WHITE, WHITE, WHITE, RED, GREEN, GREEN]


@pytest.mark.parametrize("suffix", [".gif", ".png", ".mp4", ".jpg"])
def test_pictures_are_the_frames_of_any_file_on_white(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a{suffix}"
    frames = [Image.new("RGB", (16, 16), (level, level, level)) for level in (0, 100, 200)]
    if suffix == ".mp4":
        write_video(path, [np.asarray(frame) for frame in frames])
    else:
        frames[0].save(path, save_all=suffix != ".jpg", append_images=frames[1:])
    found = pictures(path, most=2)
    assert [picture.mode for picture in found] == ["RGB"] * len(found)
    levels = [picture.getpixel((8, 8))[0] for picture in found]  # type: ignore[index]
    assert levels == pytest.approx([0] if suffix == ".jpg" else [0, 100], abs=2)


def test_pictures_are_read_by_their_content_and_not_by_their_suffix(tmp_path: Path) -> None:
    images = [Image.new("RGB", (8, 6), colour) for colour in ("red", "blue")]
    images[0].save(tmp_path / "photograph.png", format="JPEG")
    images[0].save(tmp_path / "animation.jpg", format="GIF", save_all=True, append_images=images[1:])
    assert [picture.size for picture in pictures(tmp_path / "photograph.png", most=4)] == [(8, 6)]
    assert len(pictures(tmp_path / "animation.jpg", most=4)) == 2
