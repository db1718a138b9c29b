import pytest

from rdtf_bench.models.rdtf.config import Config
from rdtf_bench.models.rdtf.course import shares


def test_the_shares_of_each_part_are_a_distribution_over_tasks_and_masked_lengths() -> None:
    parts = shares(Config(), [1.0, 0.8, 0.6, 0.5, 0.4, 0.4, 0.3], task="it2v", num_parts=3)
    assert [sum(part.values()) for part in parts] == pytest.approx([1, 1, 1])
    assert {task for task, _ in parts[0]} == {
        "interpolation",
        "pre_prediction",
        "post_prediction",
        "it2v",
        "i2v",
        "t2v",
    }
    assert {level for _, level in parts[0]} == set(range(1, 9))


def test_without_a_curriculum_every_part_is_the_same_and_families_are_equal() -> None:
    first, second = shares(Config(curriculum="none"), [1.0, 0.5, 0.4, 0.3], task="it2v", num_parts=2)
    assert first == pytest.approx(second)
    assert sum(share for (task, _), share in first.items() if task == "interpolation") == pytest.approx(1 / 3)


def test_falling_losses_move_the_draws_to_longer_masks_than_constant_ones() -> None:
    def mean_length(losses: list[float]) -> float:
        _, last = shares(Config(), losses, task="it2v", num_parts=2)
        return sum(length * share for (_, length), share in last.items())

    falling, constant = [1 - step / 50 for step in range(30)], [1.0] * 30
    assert mean_length(falling) > mean_length(constant) + 0.5


def test_condition_masks_of_one_task_draw_that_task_alone() -> None:
    (part,) = shares(Config(condition_masks="task"), [1.0], task="prediction", num_parts=1)
    assert {task for task, _ in part} == {"pre_prediction", "post_prediction"}
