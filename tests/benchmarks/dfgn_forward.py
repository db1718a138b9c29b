"""Seconds of one forward pass of the released DFGN beside diffusers' I2VGenXLUNet, in one process and in turns.

    OMP_NUM_THREADS=2 python tests/benchmarks/dfgn_forward.py [--repeats 3] [--small] [--compile] [--checkpointing]

1x4x8x32x32, fp32, random weights, 77 + 77 tokens; the text's keys computed inside, and given. `--small` takes reduced
widths; `--compile` compares torch.compile with eager at reduced widths and times both; `--checkpointing`
measures the memory of a training step at reduced widths.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import torch
from diffusers import I2VGenXLUNet
from torch import Tensor, nn

from rdtf_bench.models.rdtf import DFGN
from rdtf_bench.run.costs import memory

TOKENS = 77
SMALL: dict[str, Any] = {"block_out_channels": (64, 128, 192, 256), "attention_head_dim": 32, "cross_attention_dim": 64}


def with_random_weights(make: Callable[[], nn.Module]) -> Any:
    """Filled uniformly from the meta device: the default initialisation of a billion numbers takes minutes."""
    with torch.device("meta"):
        network = make()
    network.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.uniform_(-0.02, 0.02, generator=generator)
    return network.eval().requires_grad_(False)


def cases(options: dict[str, Any]) -> dict[str, Callable[[], Tensor]]:
    text_dim = options.get("cross_attention_dim", 1024)
    base = with_random_weights(lambda: I2VGenXLUNet(sample_size=32, **options))
    dfgn_options = {} if not options else {**options, "t5_dim": text_dim}
    dfgn = with_random_weights(lambda: DFGN(**dfgn_options))
    sample, image_latents = torch.randn(2, 1, 4, 8, 32, 32)
    clip, t5 = torch.randn(1, TOKENS, text_dim), torch.randn(1, TOKENS, dfgn.config.t5_dim)
    timestep, fps = torch.tensor([500]), torch.tensor([16])
    keys = dfgn.text_keys(clip, t5)

    def of_base() -> Tensor:
        output: Tensor = base(sample, timestep, fps, image_latents, torch.randn(1, text_dim), clip).sample
        return output

    return {
        "I2VGenXLUNet": of_base,
        "DFGN, text keys inside": lambda: dfgn(sample, timestep, image_latents, clip, t5).sample,
        "DFGN, text keys given": lambda: dfgn(sample, timestep, image_latents, text_keys=keys).sample,
    }


def measure(repeats: int, options: dict[str, Any]) -> None:
    networks = cases(options)
    taken: dict[str, list[float]] = {name: [] for name in networks}
    for repeat in range(repeats + 1):
        for name, forward in networks.items():
            began_s = time.perf_counter()
            forward()
            if repeat > 0 or repeats == 0:  # the first is a warm-up
                taken[name].append(time.perf_counter() - began_s)
    base_s = statistics.median(taken["I2VGenXLUNet"])
    for name, seconds in taken.items():
        middle_s = statistics.median(seconds)
        spread = f"{min(seconds):.2f} to {max(seconds):.2f}"
        print(
            f"{name:24} {middle_s:7.2f} s  ({spread}, {len(seconds)} passes)  {middle_s / base_s:.2f} of I2VGenXLUNet"
        )


def compare_compiled(repeats: int) -> None:
    network = with_random_weights(lambda: DFGN(**SMALL, t5_dim=64))
    sample, image_latents = torch.randn(2, 1, 4, 8, 16, 16)
    given = (sample, torch.tensor([500]), image_latents, torch.randn(1, TOKENS, 64), torch.randn(1, TOKENS, 64))
    compiled: Any = torch.compile(network)
    difference = (compiled(*given).sample - network(*given).sample).abs().max()
    print(f"torch.compile: largest difference from eager {float(difference):.1e}")
    for name, forward in (("eager", network), ("compiled", compiled)):
        began_s = time.perf_counter()
        for _ in range(repeats):
            forward(*given)
        print(f"{name:10} {(time.perf_counter() - began_s) / repeats:.3f} s")


def compare_checkpointing() -> None:
    network: Any = with_random_weights(lambda: DFGN(**SMALL, t5_dim=64)).requires_grad_(True)
    latents, text = torch.randn(1, 4, 8, 32, 32), torch.randn(1, TOKENS, 64)

    def step() -> tuple[float, float]:
        before, began_s = memory.start("cpu"), time.perf_counter()
        network(latents, torch.tensor([500]), latents, text, text).sample.square().mean().backward()
        return (memory.peak("cpu") - before) / 2**20, time.perf_counter() - began_s

    step()  # makes the gradients, which stay
    for name in ("all activations kept", "gradient checkpointing"):
        more_mib, taken_s = step()
        print(f"{name:24} {more_mib:6.0f} MiB more at the peak, {taken_s:.2f} s forward and backward")
        network.enable_gradient_checkpointing()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=3, help="0: one pass each, without a warm-up")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--checkpointing", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(2)
    if given.checkpointing:
        return compare_checkpointing()
    with torch.inference_mode():
        if given.compile:
            compare_compiled(max(given.repeats, 1))
        else:
            measure(given.repeats, SMALL if given.small else {})


if __name__ == "__main__":
    main()
