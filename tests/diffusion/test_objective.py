"""What a training step draws for a clip, how a batch is divided, and what is minimised."""

from collections.abc import Sequence
from functools import partialmethod
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch._dynamo.utils import counters

from rdtf_bench.core.errors import ProtocolError
from rdtf_bench.core.method import Training
from rdtf_bench.diffusion.objective import ClipGradients, Drawn
from rdtf_bench.diffusion.training import accelerator_for
from tests.diffusion.test_training import training


class Five:
    """Five clips, of which only the ids matter."""

    ids = tuple(f"clip{number}" for number in range(5))
    captions = ("",) * 5
    shard_sizes = (5,)

    def frames(self, index: int, places: Sequence[int] = ()) -> Any:  # noqa: ARG002
        pytest.fail(f"the frames of clip {index} were read")

    latents = features = keyframes = frames


class Line:
    """Fit one weight to the noise of each clip; clip k counts k + 1 elements."""

    def __init__(self) -> None:
        self.network = nn.Linear(1, 1, bias=False)
        self.losses: list[float] = []

    def batch(self, drawn: Sequence[Drawn], progress: float) -> list[tuple[int, Tensor]]:  # noqa: ARG002
        return [(clip.index, torch.randn(clip.index + 1, generator=clip.generator)) for clip in drawn]

    def count(self, batch: list[tuple[int, Tensor]]) -> float:
        return float(sum(len(target) for _, target in batch))

    def error(self, network: nn.Module, batch: list[tuple[int, Tensor]]) -> Tensor:
        targets = torch.cat([target for _, target in batch])
        error: Tensor = (network(torch.ones(len(targets), 1))[:, 0] - targets).square().sum()
        return error

    def describe(self, batch: list[tuple[int, Tensor]], progress: float) -> dict[str, float]:
        return {"index": sum(index for index, _ in batch) / len(batch), "progress": progress}

    def observe(self, loss: float) -> None:
        self.losses.append(loss)


def gradients_of(line: Line, **changed: Any) -> ClipGradients:
    given: Training = training(**changed)
    return ClipGradients(line, Five(), given, accelerator_for(torch.device("cpu")))


def noise_of(gradients: ClipGradients, step: int) -> dict[int, float]:
    return {
        clip.index: float(torch.rand((), generator=clip.generator)) for part in gradients._parts(step) for clip in part
    }


def test_what_a_clip_draws_does_not_depend_on_its_batch() -> None:
    whole = noise_of(gradients_of(Line(), batch_size=5), 0)
    single = gradients_of(Line(), batch_size=1)
    assert {index: value for step in range(5) for index, value in noise_of(single, step).items()} == whole
    assert len(set(whole.values())) == 5


def test_every_pass_draws_anew() -> None:
    gradients = gradients_of(Line(), batch_size=5)
    first, second = noise_of(gradients, 0), noise_of(gradients, 1)
    assert first.keys() == second.keys()
    assert all(first[index] != second[index] for index in first)


@pytest.mark.parametrize("micro_batch_size", [None, 3, 1])
def test_the_loss_is_the_mean_over_all_counted_elements(micro_batch_size: int | None) -> None:
    line = Line()
    measured = gradients_of(line, batch_size=4, micro_batch_size=micro_batch_size)(0)
    batch = line.batch([clip for part in gradients_of(line, batch_size=4)._parts(0) for clip in part], 0.0)
    expected = line.error(line.network, batch) / line.count(batch)
    (gradient,) = torch.autograd.grad(expected, [line.network.weight])
    assert measured["loss"] == line.losses[0] == pytest.approx(expected.item())
    torch.testing.assert_close(line.network.weight.grad, gradient)
    assert measured["index"] == pytest.approx(sum(index for index, _ in batch) / 4)
    assert measured["progress"] == 0


def test_a_compiled_network_has_the_loss_and_gradient_of_the_network(monkeypatch: pytest.MonkeyPatch) -> None:
    # the default backend needs a C++ compiler and minutes
    monkeypatch.setattr(nn.Module, "compile", partialmethod(nn.Module.compile, backend="aot_eager"))
    plain, compiled = Line(), Line()
    compiled.network.load_state_dict(plain.network.state_dict())
    graphs = counters["stats"]["unique_graphs"]
    losses = [gradients_of(line, batch_size=4, compile=line is compiled)(0)["loss"] for line in (plain, compiled)]
    assert counters["stats"]["unique_graphs"] == graphs + 1
    assert losses[1] == pytest.approx(losses[0])
    torch.testing.assert_close(compiled.network.weight.grad, plain.network.weight.grad)
    assert compiled.network.state_dict().keys() == plain.network.state_dict().keys()


def test_a_batch_that_cannot_be_divided_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Accelerator, "num_processes", property(lambda _: 2))
    with pytest.raises(ProtocolError, match="a batch of 3 clips cannot be divided among 2 processes"):
        gradients_of(Line(), batch_size=3)
