"""The curriculum as a pure object: eq. 2, the control loop's behaviour, harmless losses, its state."""

import io
import itertools
import math
from typing import Any, Literal

import pytest
import torch

from rdtf_bench.diffusion.masks import FAMILIES
from rdtf_bench.models.rdtf.config import Config
from rdtf_bench.models.rdtf.curriculum import (
    AdaptiveCurriculum,
    Curriculum,
    LossController,
    ReleasedCurriculum,
    all_cases,
    draw_cases,
    expected_level,
    family_weights,
    make_curriculum,
    static_probabilities,
    training_tasks,
)
from rdtf_bench.spec.load import load_scale, scale_names

GAINS = (5.0, 3.0, 1.3)
Kind = Literal["none", "linear", "adaptive"]
Variant = Literal["paper", "released"]
KINDS: list[tuple[Kind, Variant]] = [
    ("none", "paper"),
    ("linear", "paper"),
    ("adaptive", "paper"),
    ("adaptive", "released"),
]


def make(kind: Kind, variant: Variant = "paper", **changed: Any) -> Curriculum:
    options: dict[str, Any] = {"k_min": 3, "k_max": 8, "gains": GAINS, "balance": 0.5, "num_steps": 200}
    return make_curriculum(kind, variant=variant, **{**options, "history_steps": 1000, **changed})


def adaptive(**changed: Any) -> AdaptiveCurriculum:
    curriculum = make("adaptive", **changed)
    assert isinstance(curriculum, AdaptiveCurriculum)
    return curriculum


def test_static_probabilities_obey_equation_2_at_every_step() -> None:
    steps = [static_probabilities(step / 500) for step in range(501)]
    for before, after in itertools.pairwise(steps):
        assert after["interpolation"] < before["interpolation"]
        assert after["prediction"] > before["prediction"]
        assert after["generation"] > before["generation"]
        assert sum(after.values()) == pytest.approx(1)


def test_the_released_static_weights_do_not_obey_it() -> None:
    curriculum = ReleasedCurriculum(all_cases(3, 8), gains=GAINS)
    start, end = curriculum.static_weights(0.0), curriculum.static_weights(1.0)
    assert end["prediction"] < start["prediction"]
    assert list(curriculum.static_weights(0.5).values()) == pytest.approx([0.5, 0.5, 0.5])
    assert (start["interpolation"], end["interpolation"]) == pytest.approx((0.9, 0.1))


@pytest.mark.parametrize(("kind", "variant"), KINDS)
@pytest.mark.parametrize("progress", [0.0, 0.3, 1.0])
def test_weights_are_probabilities(kind: Kind, variant: Variant, progress: float) -> None:
    weights = make(kind, variant).weights(progress)
    assert weights.sum().item() == pytest.approx(1)
    assert weights.min() > 0


@pytest.mark.parametrize(("progress", "expected"), [(0.0, (0.5, 0.3, 0.2)), (1.0, (0.1, 0.35, 0.55))])
def test_the_linear_curriculum_is_the_static_part(progress: float, expected: tuple[float, ...]) -> None:
    weights = family_weights(make("linear"), progress)
    assert tuple(weights[family] for family in FAMILIES) == pytest.approx(expected)


def test_without_a_curriculum_families_and_their_levels_are_even() -> None:
    curriculum = make("none")
    assert list(family_weights(curriculum, 0.7).values()) == pytest.approx([1 / 3] * 3)
    pairs: dict[tuple[str, int], float] = {}
    for weight, case in zip(curriculum.weights(0.7).tolist(), curriculum.cases, strict=True):
        pairs[case.family, case.level] = pairs.get((case.family, case.level), 0) + weight
    for family in FAMILIES:
        shares = [weight for (of, _), weight in pairs.items() if of == family]
        assert shares == pytest.approx([1 / 3 / len(shares)] * len(shares))


def test_levels_are_the_unknown_counted_frames() -> None:
    levels = {family: sorted({c.level for c in all_cases(3, 8) if c.family == family}) for family in FAMILIES}
    assert levels == {"interpolation": [1, 2, 3, 4, 5], "prediction": [1, 2, 3, 4, 5], "generation": [*range(2, 9)]}


def test_balance_goes_from_the_static_to_the_adaptive_part() -> None:
    static = adaptive(balance=0.0)
    torch.testing.assert_close(static.weights(0.4), make("linear").weights(0.4))
    # all adaptive: at the easiest target the odds of levels 1 and 2 are those of the kernel, whatever the family
    only = adaptive(balance=1.0)
    by_level: dict[tuple[str, int], float] = {}
    for weight, case in zip(only.weights(0.4).tolist(), only.cases, strict=True):
        by_level[case.family, case.level] = by_level.get((case.family, case.level), 0) + weight
    odds = by_level["interpolation", 2] / by_level["interpolation", 1]
    assert odds == pytest.approx(math.exp(-0.5 / 1.5**2))
    assert by_level["prediction", 2] == pytest.approx(by_level["interpolation", 2])


def test_starts_at_the_easiest_level() -> None:
    assert adaptive().target_level == 1


def test_a_falling_loss_raises_the_level_and_with_it_the_entropy() -> None:
    curriculum, targets = adaptive(), []
    for step in range(200):
        curriculum.observe(math.exp(-step / 60))
        targets.append(curriculum.target_level)
    assert targets[-1] > 6
    assert expected_level(curriculum, 1.0) > expected_level(adaptive(), 0.0) + 2


def test_a_step_up_in_the_loss_lowers_the_level_and_a_step_down_raises_it() -> None:
    curriculum = adaptive()
    for step in range(100):
        curriculum.observe(math.exp(-step / 60))
    before = curriculum.target_level
    for _ in range(10):
        curriculum.observe(1.0)
    assert curriculum.target_level < before - 1
    lowered = curriculum.target_level
    for _ in range(20):
        curriculum.observe(0.05)
    assert curriculum.target_level > lowered + 1


def mean_target_of_a_power_law(num_steps: int, *, history_steps: int) -> float:
    curriculum, total = adaptive(num_steps=num_steps, history_steps=history_steps), 0.0
    noise = torch.randn(num_steps, generator=torch.Generator().manual_seed(0)).tolist()
    for step in range(num_steps):
        total += curriculum.target_level
        curriculum.observe((0.1 + 0.9 * (step + 1) ** -0.25) * (1 + 0.15 * noise[step]))
    return total / num_steps


def test_with_the_whole_history_a_long_training_climbs_as_a_short_one_does() -> None:
    short = mean_target_of_a_power_law(400, history_steps=400)
    assert mean_target_of_a_power_law(20_000, history_steps=20_000) == pytest.approx(short, abs=0.5)
    assert mean_target_of_a_power_law(20_000, history_steps=1000) < short - 1


@pytest.mark.parametrize("name", scale_names())
def test_every_scale_compares_the_loss_with_all_of_its_training(name: str) -> None:
    scale = load_scale(name)
    if "rdtf" in scale.methods:
        history = scale.methods["rdtf"].options.get("curriculum_history_steps", Config.curriculum_history_steps)
        assert isinstance(history, int)
        assert history >= scale.training.num_steps


@pytest.mark.parametrize("slope", [0.02, 0.1])
def test_the_closed_loop_settles(slope: float) -> None:
    # a plant whose loss rises with the level it is given, after an initial fall
    curriculum, targets = adaptive(num_steps=2000), []
    generator = torch.Generator().manual_seed(0)
    for step in range(2000):
        noise = 0.02 * torch.randn((), generator=generator).item()
        curriculum.observe(0.3 + 0.5 * math.exp(-step / 200) + slope * curriculum.target_level + noise)
        targets.append(curriculum.target_level)
    late = torch.tensor(targets[-500:])
    assert late.std() < 0.8
    assert late.mean() > 1.5


def test_a_stuck_loss_does_not_wind_up() -> None:
    curriculum = adaptive()
    for _ in range(5000):
        curriculum.observe(0.5)
    assert curriculum.target_level == 1
    for _ in range(40):
        curriculum.observe(0.2)
    assert curriculum.target_level > 2  # and it still answers


@pytest.mark.parametrize("variant", ["paper", "released"])
@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
def test_a_loss_that_is_not_finite_changes_nothing(variant: Variant, loss: float) -> None:
    curriculum = make("adaptive", variant)
    for value in (0.9, 0.8, 0.85):
        curriculum.observe(value)
    before = curriculum.weights(0.5)
    curriculum.observe(loss)
    torch.testing.assert_close(curriculum.weights(0.5), before, rtol=0, atol=0)


def test_integral_is_bounded_so_that_a_long_error_is_soon_undone() -> None:
    controller = LossController(gains=GAINS, num_steps=100, history_steps=10**9)
    controller.observe(0.0)
    for _ in range(10_000):
        controller.observe(1.0)
    assert abs(controller.integral) <= controller.limit


def test_released_rank_takes_the_easy_row_for_the_highest_and_the_hard_row_for_the_lowest() -> None:
    curriculum = ReleasedCurriculum(all_cases(3, 8), gains=GAINS)
    assert curriculum.row == 2
    for loss in (0.5, 0.6, 0.4, 0.7, 0.3, 0.55, 0.45):
        curriculum.observe(loss)
    curriculum.observe(2.0)
    assert curriculum.row == 0
    easy = family_weights(curriculum, 0.5)
    curriculum.observe(0.01)
    assert curriculum.row == 4
    assert family_weights(curriculum, 0.5)["generation"] > easy["generation"]


def test_released_history_forgets_the_oldest() -> None:
    curriculum = ReleasedCurriculum(all_cases(3, 8), gains=GAINS)
    curriculum.observe(100.0)
    for _ in range(ReleasedCurriculum.HISTORY_STEPS):
        curriculum.observe(0.5)
    assert max(curriculum.state_dict()["losses"]) == 0.5


@pytest.mark.parametrize(("kind", "variant"), KINDS)
def test_its_state_survives_a_checkpoint(kind: Kind, variant: Variant) -> None:
    curriculum, again = make(kind, variant), make(kind, variant)
    for step in range(30):
        curriculum.observe(1 / (1 + step % 7))
    buffer = io.BytesIO()
    torch.save(curriculum.state_dict(), buffer)
    buffer.seek(0)
    again.load_state_dict(torch.load(buffer, weights_only=True))
    for loss in (0.4, 0.9):
        curriculum.observe(loss)
        again.observe(loss)
        torch.testing.assert_close(again.weights(0.3), curriculum.weights(0.3), rtol=0, atol=0)


def generators(count: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(place) for place in range(count)]


def test_draws_follow_the_weights_and_the_generators_alone() -> None:
    curriculum = make("linear")
    drawn = draw_cases(curriculum, 0.0, [8] * 4000, generators(4000))
    assert drawn == draw_cases(curriculum, 0.0, [8] * 4000, generators(4000))
    share = sum(case.family == "interpolation" for case in drawn) / len(drawn)
    assert share == pytest.approx(0.5, abs=0.032)  # four standard deviations


def test_no_clip_counts_more_frames_than_it_has() -> None:
    available = [2, 3, 4, 5, 8, 30] * 20
    drawn = draw_cases(make("none"), 0.5, available, generators(len(available)))
    assert all(case.num_frames <= max(frames, 3) for case, frames in zip(drawn, available, strict=True))
    assert max(case.num_frames for case in drawn) == 8


def test_fixed_k_leaves_only_that_length() -> None:
    assert {case.num_frames for case in make("none", k_min=8, k_max=8).cases} == {8}


@pytest.mark.parametrize(("kind", "variant"), KINDS)
@pytest.mark.parametrize(
    ("evaluated", "families"),
    [("it2v", {"generation"}), ("interpolation", {"interpolation"}), ("prediction", {"prediction"})],
)
def test_one_evaluated_task_leaves_its_own_cases(
    kind: Kind, variant: Variant, evaluated: str, families: set[str]
) -> None:
    curriculum = make(kind, variant, tasks=training_tasks(evaluated))
    assert {case.family for case in curriculum.cases} == families
    assert float(curriculum.weights(0.3).sum()) == pytest.approx(1)


def test_prediction_goes_both_ways() -> None:
    assert training_tasks("prediction") == ("pre_prediction", "post_prediction")
    assert training_tasks("it2v") == ("it2v",)
