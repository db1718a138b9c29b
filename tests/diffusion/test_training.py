"""The training loop: EMA, resume to the same bits, what it leaves alone."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from rdtf_bench.core.errors import DivergedError, Stopped
from rdtf_bench.core.method import Training
from rdtf_bench.core.seeds import generator_for
from rdtf_bench.diffusion.training import train


def training(**changed: Any) -> Training:
    options: dict[str, Any] = {
        "task": "it2v",
        "num_frames": 8,
        "num_steps": 6,
        "batch_size": 3,
        "learning_rate": 0.05,
        "weight_decay": 0.0,
        "warmup_steps": 2,
        "max_grad_norm": 1.0,
        "ema_decay": 0.9,
        "checkpoint_every": 2,
        "seed": 0,
    }
    return Training(**{**options, **changed})


class Problem:
    """A parameter drawn to a noisy target, and a counter that the checkpoint must hold."""

    def __init__(self, device: str = "cpu") -> None:
        self.weight = nn.Parameter(torch.zeros(4, device=device))
        self.seen: list[float] = []
        self.log: list[tuple[int, dict[str, float]]] = []

    def state_dict(self) -> dict[str, Any]:
        return {"seen": list(self.seen)}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.seen = list(state_dict["seen"])

    def gradients(self, step: int) -> dict[str, float]:
        generator = generator_for(0, "step", step)
        target = 3 + torch.randn(4, generator=generator).to(self.weight.device)
        # the sum over what was seen stands for a curriculum: it decides what comes
        loss = (self.weight - target - 0.01 * len(self.seen)).square().mean()
        self.seen.append(loss.item())
        loss.backward()  # type: ignore[no-untyped-call]
        return {"loss": loss.item(), "step_again": float(step)}

    def run(
        self,
        folder: Path,
        *,
        stop_before: int | None = None,
        stop: BaseException | type[BaseException] = KeyboardInterrupt,
        **changed: Any,
    ) -> None:
        def on_step(step: int, measured: dict[str, float]) -> None:
            self.log.append((step, measured))
            if step + 1 == stop_before:
                raise stop

        folder.mkdir(exist_ok=True)
        parameters = {"weight": self.weight}
        train(parameters, self.gradients, training(**changed), folder=folder, on_step=on_step, stateful={"seen": self})


@pytest.mark.parametrize("stop_before", [2, 3, 5])
def test_resumed_equals_uninterrupted_to_the_bit(tmp_path: Path, stop_before: int) -> None:
    whole = Problem()
    whole.run(tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        Problem().run(tmp_path / "killed", stop_before=stop_before)
    again = Problem()
    again.run(tmp_path / "killed")
    assert torch.equal(again.weight, whole.weight)
    assert again.seen == whole.seen
    resumed_at = (stop_before - 1) // 2 * 2  # killed before the checkpoint of that step is written
    assert [step for step, _ in again.log] == list(range(resumed_at, 6))


def test_reports_every_step_once(tmp_path: Path) -> None:
    problem = Problem()
    problem.run(tmp_path)
    assert [step for step, _ in problem.log] == list(range(6))
    assert set(problem.log[0][1]) == {"loss", "grad_norm", "learning_rate", "step_again"}
    assert problem.log[2][1]["loss"] == problem.seen[2]


def test_a_training_that_diverges_ends_at_the_first_loss_that_is_not_finite(tmp_path: Path) -> None:
    problem = Problem()
    with pytest.raises(DivergedError, match=r"at step 2 of 6 its loss is not a finite number. Reduce .* \(1e\+30\)"):
        problem.run(tmp_path, learning_rate=1e30)
    assert [step for step, _ in problem.log] == [0, 1]
    assert problem.seen[2] == torch.inf


def test_warm_up_starts_from_a_learning_rate_of_zero(tmp_path: Path) -> None:
    problem = Problem()
    problem.run(tmp_path, num_steps=1, ema_decay=0.0)
    assert problem.weight.abs().max() == 0
    problem.run(tmp_path / "longer", num_steps=3, warmup_steps=2)
    assert [measured["learning_rate"] for _, measured in problem.log[-3:]] == [0, 0.025, 0.05]


def test_ends_as_the_moving_average_unless_it_is_off(tmp_path: Path) -> None:
    averaged, last = Problem(), Problem()
    averaged.run(tmp_path / "averaged", num_steps=60)
    last.run(tmp_path / "last", num_steps=60, ema_decay=0.0)
    # the same steps, but an average lags behind a weight that still moves towards its target of 3
    assert last.seen == averaged.seen
    assert (averaged.weight < last.weight).all()


@pytest.mark.parametrize(("ema_decay", "kept"), [(0.9, True), (0.0, False)])
def test_a_checkpoint_holds_an_average_only_where_there_is_one(tmp_path: Path, ema_decay: float, kept: bool) -> None:
    Problem().run(tmp_path, ema_decay=ema_decay)
    assert ("ema" in torch.load(tmp_path / "checkpoint.pt", weights_only=True)) is kept


def test_resumed_equals_uninterrupted_without_an_average(tmp_path: Path) -> None:
    whole, again = Problem(), Problem()
    whole.run(tmp_path / "whole", ema_decay=0.0)
    with pytest.raises(KeyboardInterrupt):
        Problem().run(tmp_path / "killed", stop_before=5, ema_decay=0.0)
    again.run(tmp_path / "killed", ema_decay=0.0)
    assert torch.equal(again.weight, whole.weight)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_checkpoint_of_a_gpu_goes_on_there_and_on_a_cpu(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        Problem("cuda").run(tmp_path, stop_before=5)
    checkpoint = (tmp_path / "checkpoint.pt").read_bytes()
    for device in ("cuda", "cpu"):
        (tmp_path / "checkpoint.pt").write_bytes(checkpoint)
        again = Problem(device)
        again.run(tmp_path)
        assert again.weight.device.type == device
        assert [step for step, _ in again.log] == [4, 5]


def test_no_half_written_checkpoint_stays(tmp_path: Path) -> None:
    Problem().run(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.before.pt", "checkpoint.pt"]


def test_a_training_that_is_asked_to_stop_saves_its_last_step(tmp_path: Path) -> None:
    whole, again = Problem(), Problem()
    whole.run(tmp_path / "whole")
    with pytest.raises(Stopped):
        Problem().run(tmp_path / "stopped", stop_before=3, stop=Stopped("now"))
    again.run(tmp_path / "stopped")
    assert [step for step, _ in again.log] == [3, 4, 5]
    assert torch.equal(again.weight, whole.weight)
