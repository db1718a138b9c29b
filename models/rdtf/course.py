"""The course of a curriculum: which cases it draws in each part of a training, given the losses that it follows."""

from collections import defaultdict
from collections.abc import Sequence

from rdtf_bench.models.rdtf.config import Config
from rdtf_bench.models.rdtf.curriculum import TASKS, Curriculum, make_curriculum, training_tasks


def curriculum_of(config: Config, *, task: str, num_steps: int) -> Curriculum:
    """Return the curriculum of a training of this many steps. `task` is the task that is evaluated."""
    return make_curriculum(
        config.curriculum,
        variant=config.curriculum_variant,
        k_min=config.k_min,
        k_max=config.k_max,
        tasks=tuple(TASKS) if config.condition_masks == "all" else training_tasks(task),
        gains=config.curriculum_gains,
        balance=config.curriculum_balance,
        num_steps=num_steps,
        history_steps=config.curriculum_history_steps,
    )


def shares(config: Config, losses: Sequence[float], *, task: str, num_parts: int) -> list[dict[tuple[str, int], float]]:
    """Return the mean probability of each training task and masked length, one mapping for each part of the training.

    The masked length is the number of unknown frames in the loss (`Case.level`). `losses` has one loss per step. The
    probabilities are those of clips that have enough frames for every case.
    """
    curriculum = curriculum_of(config, task=task, num_steps=len(losses))
    ends = [len(losses) * (part + 1) // num_parts for part in range(num_parts)]
    found: list[dict[tuple[str, int], float]] = [defaultdict(float) for _ in ends]
    for step, loss in enumerate(losses):
        part = next(number for number, end in enumerate(ends) if step < end)
        steps = ends[part] - (ends[part - 1] if part else 0)
        weights = curriculum.weights(step / max(len(losses) - 1, 1)).tolist()
        for case, weight in zip(curriculum.cases, weights, strict=True):
            found[part][case.task, case.level] += weight / steps
        curriculum.observe(loss)
    return [dict(part) for part in found]
