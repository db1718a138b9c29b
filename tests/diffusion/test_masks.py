"""The condition masks against Table 7 and the families of the authors' code."""

import pytest
import torch

from rdtf_bench.core.errors import UnknownNameError
from rdtf_bench.diffusion.masks import (
    FAMILIES,
    TASKS,
    draw_known,
    interpolation_masks,
    post_prediction_masks,
    pre_prediction_masks,
    task_named,
)


def as_text(masks: tuple[tuple[int, ...], ...]) -> list[str]:
    return ["".join(str(known) for known in mask) for mask in masks]


def test_interpolation_is_printed_in_table_7() -> None:
    assert as_text(interpolation_masks(8)) == ["01010101", "10101010", "10010010"]


def test_prediction_is_printed_in_table_7() -> None:
    assert as_text(TASKS["prediction"].evaluated(8)) == ["11111000", "00111111"]


def test_evaluation_of_generation_knows_the_first_frame_or_none() -> None:
    assert as_text(TASKS["it2v"].evaluated(8)) == ["10000000"]
    assert as_text(TASKS["i2v"].evaluated(8)) == ["10000000"]
    assert as_text(TASKS["t2v"].evaluated(8)) == ["00000000"]


def test_only_image_to_video_goes_without_text() -> None:
    assert {name for name, task in TASKS.items() if not task.uses_text} == {"i2v"}


def test_prediction_families_span_the_released_ranges() -> None:
    # post: m in [n/2, n-1] known; pre: known from a start in [1, n/2+1]
    assert as_text(post_prediction_masks(8)) == ["11110000", "11111000", "11111100", "11111110"]
    assert as_text(pre_prediction_masks(8)) == ["01111111", "00111111", "00011111", "00001111", "00000111"]


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("num_frames", [2, 3, 5, 8, 16])
def test_every_mask_has_the_length_asked_for_and_leaves_work(name: str, num_frames: int) -> None:
    task = TASKS[name]
    masks = task.evaluated(num_frames) + task.trained(num_frames)
    assert masks
    assert {len(mask) for mask in masks} == {num_frames}
    assert max(sum(mask) for mask in masks) < num_frames
    assert set(task.evaluated(num_frames)) <= set(task.trained(num_frames))


def test_every_task_belongs_to_a_family() -> None:
    assert {task.family for task in TASKS.values()} == set(FAMILIES)


def test_draws_are_uniform_and_repeatable() -> None:
    masks = interpolation_masks(8)
    known = draw_known(masks, batch_size=3000, generator=torch.Generator().manual_seed(1))
    again = draw_known(masks, batch_size=3000, generator=torch.Generator().manual_seed(1))
    assert torch.equal(known, again)
    for mask in masks:
        share = (known == torch.tensor(mask)).all(dim=1).float().mean().item()
        assert share == pytest.approx(1 / 3, abs=0.035)  # four standard deviations of a share of 3000 draws


def test_nothing_to_draw_from_is_an_error() -> None:
    with pytest.raises(ValueError, match="no mask"):
        draw_known(interpolation_masks(1), batch_size=2, generator=torch.Generator())


def test_an_unknown_task_names_those_there_are() -> None:
    with pytest.raises(UnknownNameError, match=r"no task 'it2w'.*it2v, i2v, t2v, interpolation, prediction"):
        task_named("it2w")
