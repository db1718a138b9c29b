"""The curriculum: probabilities of training cases (sec. "Difficulty-adaptive curriculum learning", algorithm 1).

A case is a task, a number k of counted frames and a condition mask over these frames. Its level is the number of
counted frames that are unknown, 1 to 8: "different levels according to the difference between loss mask and condition
mask". A curriculum gives every case a probability. Its state is plain data, so that a checkpoint can hold it.

The paper gives neither the static probabilities of eq. 2, nor the map from the controller's output (eq. 4) to a level,
nor the balance of the static and the adaptive part. The values here are ours unless a comment says otherwise.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from jaxtyping import Float64
from torch import Tensor

from rdtf_bench.diffusion.masks import FAMILIES, Mask, post_prediction_masks, pre_prediction_masks
from rdtf_bench.diffusion.masks import TASKS as EVALUATED

Weights = Float64[Tensor, " cases"]


def _as_evaluated(*names: str) -> dict[str, tuple[str, Callable[[int], tuple[Mask, ...]]]]:
    return {name: (EVALUATED[name].family, EVALUATED[name].trained) for name in names}


TASKS: dict[str, tuple[str, Callable[[int], tuple[Mask, ...]]]] = {
    **_as_evaluated("interpolation"),
    "pre_prediction": ("prediction", pre_prediction_masks),
    "post_prediction": ("prediction", post_prediction_masks),
    **_as_evaluated("it2v", "i2v", "t2v"),
}
"""Family and masks of each of the six training tasks of the authors' code. Their order decides which case is drawn."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A task, and a condition mask over the frames that enter the loss."""

    task: str
    known: Mask  # one entry per counted frame

    @property
    def num_frames(self) -> int:
        """Return the number of counted frames."""
        return len(self.known)

    @property
    def family(self) -> str:
        """Return the family of the task."""
        return TASKS[self.task][0]

    @property
    def level(self) -> int:
        """Return the difficulty: the number of counted frames that are not known."""
        return len(self.known) - sum(self.known)

    @property
    def uses_text(self) -> bool:
        """Return whether the denoiser reads the caption."""
        return self.task != "i2v"


def all_cases(k_min: int, k_max: int, tasks: Sequence[str] = tuple(TASKS)) -> tuple[Case, ...]:
    """Return every combination of a task, a number of counted frames and a mask of that task."""
    return tuple(
        Case(task=task, known=known)
        for task in tasks
        for num_frames in range(k_min, k_max + 1)
        for known in TASKS[task][1](num_frames)
    )


def training_tasks(evaluated: str) -> tuple[str, ...]:
    """Return the training tasks of an evaluated task (a key of diffusion.masks.TASKS).

    Prediction has two of them, one per direction of time.
    """
    return ("pre_prediction", "post_prediction") if evaluated == "prediction" else (evaluated,)


@runtime_checkable
class Curriculum(Protocol):
    """Give every training case a probability, which may follow the progress of the training and its loss."""

    cases: tuple[Case, ...]

    def weights(self, progress: float) -> Weights:
        """Return the probability of each case. `progress` is the completed share of the training, 0 to 1."""
        ...

    def observe(self, loss: float) -> None:
        """Take in the loss of the next step. A loss that is not finite is ignored."""
        ...

    def describe(self) -> dict[str, float]:
        """Return the current values that determine the probabilities, for the log."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state that `state_dict` returned."""
        ...


def draw_cases(
    curriculum: Curriculum, progress: float, available: Sequence[int], generators: Sequence[torch.Generator]
) -> list[Case]:
    """Draw one case per clip. `available` is the number of frames of each clip, and no case counts more than these."""
    weights, cases = curriculum.weights(progress), curriculum.cases
    shortest = min(case.num_frames for case in cases)
    lengths = torch.tensor([case.num_frames for case in cases])
    drawn = []
    for frames, generator in zip(available, generators, strict=True):
        # a clip that is shorter than every case is extended later
        possible = weights * (lengths <= max(frames, shortest))
        drawn.append(cases[int(torch.multinomial(possible, 1, generator=generator))])
    return drawn


def family_weights(curriculum: Curriculum, progress: float) -> dict[str, float]:
    """Return the probability of each family of tasks at this progress, from 0 to 1."""
    weights = curriculum.weights(progress).tolist()
    return {
        family: math.fsum(w for w, case in zip(weights, curriculum.cases, strict=True) if case.family == family)
        for family in FAMILIES
    }


def expected_level(curriculum: Curriculum, progress: float) -> float:
    """Return the mean level of the cases that are drawn at this progress, from 0 to 1."""
    levels = torch.tensor([case.level for case in curriculum.cases], dtype=torch.float64)
    return float((curriculum.weights(progress) * levels).sum())


def _within_family_and_level(cases: Sequence[Case]) -> Weights:
    """Return P(case | family, level), uniform over the family's tasks at this level and over the cases of each task."""
    groups: dict[tuple[str, int], dict[str, int]] = {}
    for case in cases:
        counts = groups.setdefault((case.family, case.level), {})
        counts[case.task] = counts.get(case.task, 0) + 1
    shares = [1 / (len(groups[c.family, c.level]) * groups[c.family, c.level][c.task]) for c in cases]
    return torch.tensor(shares, dtype=torch.float64)


def _levels_per_family(cases: Sequence[Case]) -> dict[str, int]:
    return {family: len({case.level for case in cases if case.family == family}) for family in FAMILIES}


def _without(families: dict[str, float], missing: Sequence[str]) -> dict[str, float]:
    left = {family: share for family, share in families.items() if family not in missing}
    return {family: share / sum(left.values()) for family, share in left.items()}


def static_probabilities(progress: float) -> dict[str, float]:
    """Return the static probability of each family (eq. 2).

    Interpolation falls from .50 to .10. Prediction rises from .30 to .35, and generation from .20 to .55. All three are
    linear in the progress.
    """
    start = {"interpolation": 0.50, "prediction": 0.30, "generation": 0.20}
    end = {"interpolation": 0.10, "prediction": 0.35, "generation": 0.55}
    return {family: start[family] + progress * (end[family] - start[family]) for family in FAMILIES}


class NoCurriculum:
    """Draw families and their levels uniformly during the whole training (Table 4, "without CL")."""

    def __init__(self, cases: tuple[Case, ...]) -> None:
        self.cases = cases
        self._within = _within_family_and_level(cases)

    def weights(self, progress: float) -> Weights:  # noqa: ARG002
        return self._spread(dict.fromkeys(FAMILIES, 1 / len(FAMILIES)))

    def _spread(self, families: dict[str, float]) -> Weights:
        levels = _levels_per_family(self.cases)
        if missing := [family for family in families if not levels[family]]:
            families = _without(families, missing)
        joint = [families[case.family] / levels[case.family] for case in self.cases]
        return torch.tensor(joint, dtype=torch.float64) * self._within

    def observe(self, loss: float) -> None:
        pass

    def describe(self) -> dict[str, float]:
        return {}

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        pass


class LinearCurriculum(NoCurriculum):
    """Use the static part alone; the levels of a family are uniform (Table 4, "LCL")."""

    def weights(self, progress: float) -> Weights:
        return self._spread(static_probabilities(progress))


class LossController:
    """A PID controller that turns the training loss into a difficulty (eq. 3 and 4, algorithm 1).

    DEVIATION: the "integral of the loss" of eq. 3 diverges, so we use the running mean of the loss instead. The error
    is the difference between the smoothed loss and this mean, divided by the running standard deviation. The division
    gives the gains 5.0, 3.0 and 1.3 (Table 6) the same meaning at every scale of the loss. The loss is smoothed over
    `SMOOTHING_STEPS`, because the loss of one batch says more about its noise levels than about the network.

    The step of the integral is relative to the length of the training. `history_steps` and the smoothing are counted in
    steps. Here the history is as long as the training (eq. 3 integrates from 0). A shorter one follows the loss more
    closely, and the target level rises less (README.md has figures).
    """

    SMOOTHING_STEPS = 10
    INTEGRAL_TIMES = 10  # a constant error of one standard deviation changes the integral by this much in one training
    MAX_ERROR = 3.0

    def __init__(self, *, gains: tuple[float, float, float], num_steps: int, history_steps: int) -> None:
        self.gains, self.num_steps, self.history_steps = gains, num_steps, history_steps
        self.count = 0
        self.mean = self.variance = self.smooth = self.error = 0.0
        self.integral = self.limit  # start at the easiest level
        self.output = self.gains[1] * self.integral

    @property
    def span(self) -> float:
        """Return the output that moves the target level from the middle to an end: one unit of every term."""
        return sum(self.gains)

    @property
    def limit(self) -> float:
        """Return the bound of the integral (anti-windup): the value that alone holds the target level at an end."""
        return self.span / self.gains[1] if self.gains[1] > 0 else 0.0

    def observe(self, loss: float) -> None:
        """Update the output with the loss of the next step. A loss that is not finite is ignored."""
        if not math.isfinite(loss):
            return
        self.count += 1
        rate = 1 / min(self.count, self.history_steps)
        before = loss - self.mean
        self.mean += rate * before
        self.variance += rate * (before * (loss - self.mean) - self.variance)
        self.smooth += max(1 / self.SMOOTHING_STEPS, rate) * (loss - self.smooth)
        deviation = math.sqrt(max(self.variance, 0.0))
        stuck = deviation <= 1e-9 * abs(self.mean)
        error = 0.0 if stuck else (self.smooth - self.mean) / deviation
        error = min(max(error, -self.MAX_ERROR), self.MAX_ERROR)
        step = error * self.INTEGRAL_TIMES / self.num_steps
        self.integral = min(max(self.integral + step, -self.limit), self.limit)
        proportional, integral, derivative = self.gains
        self.output = proportional * error + integral * self.integral + derivative * (error - self.error)
        self.error = error

    def state_dict(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        names = ("count", "mean", "variance", "smooth", "error", "integral", "output")
        return {name: getattr(self, name) for name in names}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the state that `state_dict` returned."""
        for name, value in state_dict.items():
            setattr(self, name, value)


class AdaptiveCurriculum:
    """Combine the static part with a target level that follows the loss, as in the paper (Table 4, "DCL").

    A loss above its history lowers the target level and a loss below raises it, so the loop has negative feedback. A
    Gaussian kernel is centred on the target level, and P(task, level) is proportional to
    static ** (1 - balance) * kernel ** balance.
    """

    KERNEL_LEVELS = 1.5

    def __init__(
        self, cases: tuple[Case, ...], *, controller: LossController, balance: float, levels: tuple[int, int] = (1, 8)
    ) -> None:
        self.cases, self.controller, self.balance, self.levels = cases, controller, balance, levels
        self._static = LinearCurriculum(cases)
        self._within = _within_family_and_level(cases)
        self._level_of = torch.tensor([case.level for case in cases], dtype=torch.float64)

    @property
    def target_level(self) -> float:
        """Return the number of unknown frames that is drawn most at the controller's current output."""
        easiest, hardest = self.levels
        middle, half = (easiest + hardest) / 2, (hardest - easiest) / 2
        return float(min(max(middle - half * self.controller.output / self.controller.span, easiest), hardest))

    def weights(self, progress: float) -> Weights:
        static = self._static.weights(progress) / self._within
        kernel = torch.exp(-0.5 * ((self._level_of - self.target_level) / self.KERNEL_LEVELS).square())
        joint = static ** (1 - self.balance) * kernel**self.balance * self._within
        return joint / joint.sum()

    def observe(self, loss: float) -> None:
        self.controller.observe(loss)

    def describe(self) -> dict[str, float]:
        controller = self.controller
        history = {"loss_history": controller.mean, "loss_error": controller.error} if controller.count else {}
        return {"target_level": self.target_level, **history}

    def state_dict(self) -> dict[str, Any]:
        return self.controller.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.controller.load_state_dict(state_dict)


class ReleasedCurriculum:
    """The curriculum of the authors' code, repaired so that it runs (mails9523/mails9523.github.io@de717c7).

    The weight of a family is its static weight plus its entry in one of five rows. The row is chosen by the rank of
    u = 5 loss + 3 mean + 1.3 change among its last 1000 values: the highest value selects the easiest row. The static
    weight of prediction falls, which contradicts eq. 2. The number of counted frames and the mask are uniform, so
    levels play no part.
    """

    HISTORY_STEPS = 1000
    ROWS = (0.1, 0.3, 0.5, 0.7, 0.9)  # weight of generation; interpolation has 1 minus it, prediction has 0.5
    STATIC = {  # noqa: RUF012 (a constant)
        "interpolation": (0.9, 0.5, 0.1),
        "prediction": (0.7, 0.5, 0.3),
        "generation": (0.1, 0.5, 0.9),
    }

    def __init__(self, cases: tuple[Case, ...], *, gains: tuple[float, float, float]) -> None:
        self.cases, self.gains = cases, gains
        self._losses: list[float] = []
        self._outputs: list[float] = []
        counts: dict[tuple[str, int], int] = {}
        for case in cases:
            counts[case.task, case.num_frames] = counts.get((case.task, case.num_frames), 0) + 1
        lengths = len({case.num_frames for case in cases})
        shares = [1 / (lengths * counts[case.task, case.num_frames]) for case in cases]
        self._within_task = torch.tensor(shares, dtype=torch.float64)

    @property
    def row(self) -> int:
        """Return the row: 0 if the last output is the highest of its history, 4 if the lowest, 2 before the first."""
        if not self._outputs:
            return 2
        higher = sum(output > self._outputs[-1] for output in self._outputs)
        return min(4, int(higher / len(self._outputs) * 5))

    def static_weights(self, progress: float) -> dict[str, float]:
        """Return the weight of each family, interpolated in STATIC at a progress of 0 to 1."""
        first, rest = (0, 2 * progress) if progress < 0.5 else (1, 2 * progress - 1)
        return {f: s[first] + rest * (s[first + 1] - s[first]) for f, s in self.STATIC.items()}

    def weights(self, progress: float) -> Weights:
        static, generation = self.static_weights(progress), self.ROWS[self.row]
        row = {"interpolation": 1 - generation, "prediction": 0.5, "generation": generation}
        per_task = torch.tensor([static[c.family] + row[c.family] for c in self.cases], dtype=torch.float64)
        joint = per_task * self._within_task
        return joint / joint.sum()

    def observe(self, loss: float) -> None:
        if not math.isfinite(loss):
            return
        last = self._losses[-1] if self._losses else loss
        self._losses = [*self._losses, loss][-self.HISTORY_STEPS :]
        proportional, integral, derivative = self.gains
        mean = sum(self._losses) / len(self._losses)
        output = proportional * loss + integral * mean + derivative * (loss - last)
        self._outputs = [*self._outputs, output][-self.HISTORY_STEPS :]

    def describe(self) -> dict[str, float]:
        return {"weights_row": float(self.row)}

    def state_dict(self) -> dict[str, Any]:
        return {"losses": list(self._losses), "outputs": list(self._outputs)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self._losses, self._outputs = list(state_dict["losses"]), list(state_dict["outputs"])


def make_curriculum(
    kind: Literal["none", "linear", "adaptive"],
    *,
    variant: Literal["paper", "released"],
    k_min: int,
    k_max: int,
    tasks: Sequence[str] = tuple(TASKS),
    gains: tuple[float, float, float],
    balance: float,
    num_steps: int,
    history_steps: int,
) -> Curriculum:
    """Return the curriculum of this kind over all cases of `tasks`; `variant` matters only for "adaptive"."""
    cases = all_cases(k_min, k_max, tasks)
    match kind, variant:
        case "none", _:
            return NoCurriculum(cases)
        case "linear", _:
            return LinearCurriculum(cases)
        case _, "released":
            return ReleasedCurriculum(cases, gains=gains)
    controller = LossController(gains=gains, num_steps=num_steps, history_steps=history_steps)
    return AdaptiveCurriculum(cases, controller=controller, balance=balance, levels=(1, k_max))
