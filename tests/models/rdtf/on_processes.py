"""Train a small RDTF on as many processes as torchrun starts, in double precision, and save what comes out.

Usage: python -m torch.distributed.run --nproc-per-node N -m tests.models.rdtf.on_processes ASSETS OUT
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from safetensors.torch import save_file

from rdtf_bench.core.method import Sampler
from rdtf_bench.core.seeds import generators_for
from tests.models.rdtf.small import TRAINING, Stickers, make
from tests.models.rdtf.test_method import conditions

STEPS = 20
SAMPLER = Sampler(num_steps=3, timestep_spacing="trailing", eta=1.0, guidance_text=2.0, guidance_image=1.5)


class Stop(Exception):
    """Stands for a kill after some steps."""


def train(assets: Mapping[str, Path], out: Path, *, until: int = STEPS, **changed: Any) -> None:
    """Train for `until` of `STEPS` steps, from the checkpoint in `out` on; after the last step, sample and save."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        _train(assets, out, until, changed)
    except Stop:
        pass
    finally:
        torch.set_default_dtype(before)
    PartialState().wait_for_everyone()


def _train(assets: Mapping[str, Path], out: Path, until: int, changed: dict[str, Any]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    method = make(dict(assets))
    for network in (method.autoencoder, method.text.clip, method.text.t5):
        network.double()
    losses: list[float] = []

    def on_step(step: int, measured: dict[str, float]) -> None:
        losses.append(measured["loss"])
        if step + 1 == until < STEPS:
            raise Stop

    training = replace(TRAINING, num_steps=STEPS, batch_size=4, checkpoint_every=5, **changed)
    method.fit(Stickers(), training, folder=out, on_step=on_step)
    given = conditions(2)
    made = method.generate(given, generators_for(0, given.clip_ids, "sample"), SAMPLER)
    state = PartialState()
    if state.is_main_process:
        weights = {name: weight.detach().contiguous() for name, weight in method.network.state_dict().items()}
        save_file({**weights, "made": made.contiguous()}, out / "made.safetensors")
        (out / "losses.json").write_text(json.dumps({"losses": losses, "processes": state.num_processes}))


def main(assets: Path, out: Path) -> None:
    torch.set_num_threads(1)
    folders = {folder.name: folder for folder in assets.iterdir() if folder.is_dir()}
    train(folders, out / "plain")
    train(folders, out / "accumulated", micro_batch_size=1)
    train(folders, out / "killed", until=12)
    train(folders, out / "sharded", shard_weights=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
