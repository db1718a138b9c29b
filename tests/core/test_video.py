import torch

from rdtf_bench.core.video import to_uint8, to_unit


def test_uint8_survives_the_round_trip() -> None:
    every_level = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 1, 16, 16)
    assert torch.equal(to_uint8(to_unit(every_level)), every_level)


def test_values_out_of_range_are_clamped_and_not_wrapped() -> None:
    video = torch.tensor([-1.2, 1.2]).reshape(1, 1, 1, 1, 2)
    assert to_uint8(video).flatten().tolist() == [0, 255]
