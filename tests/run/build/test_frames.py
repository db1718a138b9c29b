import numpy as np
import pytest
import torch
from PIL import Image

from rdtf_bench.core.errors import InputError
from rdtf_bench.core.seeds import generator_for
from rdtf_bench.run.build import frames

GREY = torch.zeros(3, 8, 8)  # 128 of 255


def test_a_frame_of_the_right_size_is_given_as_it_is() -> None:
    pixels = torch.randint(0, 256, (3, 8, 8), generator=generator_for("frame"))
    given = np.asarray(frames.picture(pixels / 127.5 - 1, 8, 8, "stretch"))
    assert (given == pixels.movedim(0, -1).numpy()).all()


def test_a_square_is_stretched_to_the_pipelines_size_and_back() -> None:
    wide = frames.picture(GREY, 16, 32, "stretch")
    assert wide.size == (32, 16)
    assert set(wide.get_flattened_data()) == {(128, 128, 128)}
    made = torch.rand(2, 3, 16, 32, generator=generator_for("made"))
    assert frames.squared(made, 8, "stretch").shape == (2, 3, 8, 8)


def test_padding_is_white_and_is_cut_off_again() -> None:
    padded = frames.picture(GREY, 16, 32, "pad")
    pixels = torch.from_numpy(np.asarray(padded).copy()).movedim(-1, 0)
    assert (pixels[:, :, :8] == 255).all()
    assert (pixels[:, :, 24:] == 255).all()
    assert (pixels[:, :, 8:24] == 128).all()
    assert torch.equal(frames.squared(pixels[None] / 255, 16, "pad"), torch.full((1, 3, 16, 16), 128 / 255))


def test_overshoot_of_the_resize_filter_stays_in_range() -> None:
    made = torch.zeros(1, 3, 4, 4)
    made[..., 2:] = 1
    resized = frames.squared(made, 16, "stretch")
    assert (float(resized.min()), float(resized.max())) == (0, 1)


def test_pictures_arrays_and_tensors_are_the_same_video() -> None:
    pixels = torch.randint(0, 256, (1, 2, 3, 4, 4), generator=generator_for("video"))
    array = (pixels / 255).movedim(2, -1).numpy()
    pictures = [[Image.fromarray(one.movedim(0, -1).byte().numpy()) for one in pixels[0]]]
    for output in (array, pictures, pixels / 255):
        assert torch.allclose(frames.made(output, "mine"), pixels[0] / 255)


@pytest.mark.parametrize("output", [None, [], torch.zeros(1, 4, 8, 8), [[1, 2]], np.zeros((1, 2, 4, 4, 4))])
def test_what_is_no_video_of_three_channels_is_refused(output: object) -> None:
    with pytest.raises(
        InputError, match=r"mine: the pipeline .* which are no pictures, no array B F H W C and no tensor B F C H W"
    ):
        frames.made(output, "mine")


def test_the_first_frame_is_always_taken() -> None:
    assert frames.places(9, 8, "spread") == (0, 1, 2, 3, 4, 5, 6, 7)
    assert frames.places(14, 4, "spread") == (0, 3, 7, 10)
    assert frames.places(14, 4, "first") == (0, 1, 2, 3)
