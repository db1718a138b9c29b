"""Train a small network, partly frozen and with a tied weight, on as many processes as torchrun starts.

Usage: python -m torch.distributed.run --nproc-per-node N -m tests.diffusion.on_processes OUT
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from rdtf_bench.core.errors import Stopped
from rdtf_bench.diffusion.objective import Drawn, train_on_clips
from tests.diffusion.test_objective import Five
from tests.diffusion.test_training import training

STEPS = 20
WIDTH = 7  # odd, so that the parts of two processes differ in size


class Layer(nn.Module):
    """A frozen linear layer with a trained adapter of rank 1."""

    def __init__(self) -> None:
        super().__init__()
        self.frozen = nn.Linear(WIDTH, WIDTH).requires_grad_(False)
        self.down, self.up = nn.Linear(WIDTH, 1, bias=False), nn.Linear(1, WIDTH)
        self.register_buffer("scale", torch.full((), 0.5))

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs + torch.tanh(self.frozen(inputs) + self.scale * self.up(self.down(inputs)))


class Network(nn.Module):
    """Layers between an input and an output layer that share one weight; another weight is shared by two layers."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.after = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        layers = [Layer() for _ in range(4)]
        self.layers = nn.ModuleList(layers)
        self.after.weight = self.before.weight
        layers[3].up.weight = layers[2].up.weight

    def forward(self, inputs: Tensor) -> Tensor:
        hidden = self.before(inputs)
        for layer in self.layers:
            hidden = layer(hidden)
        return self.after(hidden)


class EndedError(Exception):
    """Stands for the end that torchrun makes of the other processes when the first one has stopped."""


class Task:
    """Fit a network to the noise of each clip. Its past losses decide the next batch, as in a curriculum."""

    def __init__(self, network: Network, ends_after: int | None) -> None:
        self.network, self.ends_after, self.losses = network, ends_after, list[float]()
        self.held: dict[str, int] = {}  # elements of each parameter that this process holds between two steps

    def batch(self, drawn: Sequence[Drawn], progress: float) -> Tensor:  # noqa: ARG002
        if len(self.losses) == self.ends_after:
            raise EndedError
        clips = [torch.randn(2, clip.index + 1, WIDTH, generator=clip.generator) for clip in drawn]
        return torch.cat([clip + self.level() for clip in clips], dim=1)

    def count(self, batch: Tensor) -> float:
        return float(batch[0].numel())

    def error(self, network: nn.Module, batch: Tensor) -> Tensor:
        self.held = {
            name: (part.to_local() if isinstance(part, DTensor) else part).numel()
            for name, part in network.named_parameters()
        }
        inputs, targets = batch
        error: Tensor = (network(inputs) - targets).square().sum()
        return error

    def describe(self, batch: Tensor, progress: float) -> dict[str, float]:  # noqa: ARG002
        return {"level": self.level()}

    def level(self) -> float:
        return sum(self.losses) / max(len(self.losses), 1)

    def observe(self, loss: float) -> None:
        self.losses.append(loss)

    def state_dict(self) -> dict[str, Any]:
        return {"losses": self.losses}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.losses = state_dict["losses"]


def train(out: Path, *, dtype: torch.dtype = torch.float64, stop_after: int | None = None, **changed: Any) -> None:
    """Train from the checkpoint in `out` on, and write what came out there, unless the training was stopped."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        _train(out, stop_after, changed)
    except (Stopped, EndedError):
        PartialState().wait_for_everyone()
    finally:
        torch.set_default_dtype(before)


def _train(out: Path, stop_after: int | None, changed: dict[str, Any]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        network = Network()
    state = PartialState(cpu=True)
    task, log = Task(network, None if state.is_main_process else stop_after), list[dict[str, float]]()

    def on_step(step: int, measured: dict[str, float]) -> None:
        log.append(measured)
        if step + 1 == stop_after and state.is_main_process:  # as in a run, nobody asks the other processes to stop
            raise Stopped("now")

    settings = {"num_steps": STEPS, "batch_size": 4, "checkpoint_every": 5, "max_grad_norm": 0.5, "weight_decay": 0.01}
    weights = dict(network.named_parameters())
    trained = {f"of {name}": weight for name, weight in weights.items() if weight.requires_grad}
    train_on_clips(
        task, trained, Five(), training(**settings | changed), folder=out, on_step=on_step, stateful={"task": task}
    )
    assert type(network) is Network
    assert network.after.weight is network.before.weight
    assert {id(weight) for weight in network.parameters()} == {id(weight) for weight in weights.values()}
    network(torch.ones(1, WIDTH)).sum().backward()  # no hook and no sharded weight is left in it
    if state.is_main_process:
        save_file({name: weight.detach() for name, weight in weights.items()}, out / "weights.safetensors")
        (out / "facts.json").write_text(json.dumps({"log": log, "held": task.held, "processes": state.num_processes}))
    state.wait_for_everyone()


def main(out: Path) -> None:
    torch.set_num_threads(1)
    train(out / "sharded", shard_weights=True)
    train(out / "accumulated", shard_weights=True, micro_batch_size=1)
    train(out / "single", shard_weights=True, dtype=torch.float32)
    train(out / "stopped", shard_weights=True, stop_after=12)
    train(out / "resumed", shard_weights=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
