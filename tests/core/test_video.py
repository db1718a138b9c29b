import pytest
import torch
from torch import Tensor

from rdtf_bench.core.errors import DataError, SamplingError
from rdtf_bench.core.video import require_clips, to_uint8, to_unit


def test_uint8_survives_the_round_trip() -> None:
    every_level = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 1, 16, 16)
    assert torch.equal(to_uint8(to_unit(every_level)), every_level)


def test_values_out_of_range_are_clamped_and_not_wrapped() -> None:
    video = torch.tensor([-1.2, 1.2]).reshape(1, 1, 1, 1, 2)
    assert to_uint8(video).flatten().tolist() == [0, 255]


@pytest.mark.parametrize(
    "video",
    [torch.rand(2, 4, 3, 8, 8), torch.zeros(4, 3, 8, 8).byte(), torch.zeros(2, 3, 4, 8, 8).byte()],
    ids=["values in 0..1", "no batch", "channels first"],
)
def test_what_is_no_clip_in_bytes_is_refused(video: Tensor) -> None:
    with pytest.raises(DataError, match="B F C H W"):
        require_clips(video)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_no_black_frames(value: float) -> None:
    video = torch.zeros(3, 2, 3, 4, 4)
    video[1, 0, 0, 0, 0] = value
    with pytest.raises(SamplingError, match="1 of 3 clips have values that are not finite"):
        to_uint8(video)
