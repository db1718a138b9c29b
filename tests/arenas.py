"""A store with random clips in place of samples, and votes that follow a rule, for tests of user studies."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file

from rdtf_bench.core.seeds import generator_for
from rdtf_bench.core.video import VideoU8
from rdtf_bench.run.arena import make, plan
from rdtf_bench.run.arena.make import Material
from rdtf_bench.run.arena.plan import PlannedArena
from rdtf_bench.run.arena.study import Arena, Ballot, Vote
from rdtf_bench.run.protocols import load_scale
from rdtf_bench.run.table.context import NONE, External
from rdtf_bench.spec.schema import ArenaSpec

NUM_CLIPS = 5
PROMPTS = [f"prompt <{number}> & more" for number in range(NUM_CLIPS)]
RANKS = {"Customize-A-Video": 4, "I2V-Adapter": 3, "SimDA": 1, "RDTF": 1}


def planned(root: Path, external: Mapping[str, External] = NONE) -> PlannedArena:
    """Return the paper's user study at the scale ci, with the rows of table1 and these."""
    return plan.plan(plan.load("table5"), load_scale("ci"), None, root, external)


def filled(root: Path, external: Mapping[str, External] = NONE) -> PlannedArena:
    """Write random clips for the test split and for every row into a store, and return the study of them."""
    found = planned(root, external)
    names = {"ids": [f"asg/test/{number:05d}" for number in range(NUM_CLIPS)], "captions": PROMPTS}

    def write_real(folder: Path) -> None:
        save_file({"video": _video("real")}, folder / "clips.safetensors")
        (folder / "clips.json").write_text(json.dumps(names), encoding="utf-8")

    def write_row(label: str) -> Callable[[Path], None]:
        return lambda folder: save_file({"video": _video(label)}, folder / "shard-0000.safetensors")

    found.store.make("clips", found.real_key, write_real)
    for label, key in found.samples.items():
        found.store.make("samples", key, write_row(label))
    return found


def material(root: Path, num_clips: int = 3, seed: int = 0) -> Material:
    """Return an arena drawn from such a store."""
    return make.draw(filled(root), num_clips=num_clips, seed=seed)


def arena_of(spec: ArenaSpec, num_clips: int = 3) -> Arena:
    """Return an arena of four rows without a store."""
    clips = [
        {"id": f"asg/test/{i:05d}", "caption": "", "keys": {row: f"{row} of {i}" for row in RANKS}}
        for i in range(num_clips)
    ]
    raw = {"format": 1, "table": "table1", "scale": "ci", "dataset": "asg", "seed": 0, "clips": clips}
    criteria = [criterion.model_dump() for criterion in spec.criteria]
    return Arena.model_validate_json(json.dumps({**raw, "criteria": criteria, "samples": dict.fromkeys(RANKS, "key")}))


def ballot(arena: Arena, rater: str, ranks: Mapping[str, int] = RANKS) -> Ballot:
    """Return the votes of a rater who gives each row the same rank everywhere."""
    votes = tuple(
        Vote(clip=clip.id, criterion=criterion.name, ranks={clip.keys[row]: rank for row, rank in ranks.items()})
        for clip in arena.clips
        for criterion in arena.criteria
    )
    return Ballot(format=1, arena=arena.id, rater=rater, votes=votes)


def _video(name: str) -> VideoU8:
    shape = (NUM_CLIPS, 8, 3, 16, 16)
    return torch.randint(256, shape, generator=generator_for("arena test", name), dtype=torch.uint8)
