"""A data folder small enough for a test that runs a table, and the plan of a table that needs no data."""

import json
from pathlib import Path

import pytest
import torch
from PIL import Image

from rdtf_bench import catalog
from rdtf_bench.core.seeds import generator_for
from rdtf_bench.core.store import Store
from rdtf_bench.run.inputs.datasets import Dataset
from rdtf_bench.run.table.context import Bench, find_assets, make_bench
from rdtf_bench.spec.load import load_protocol, load_scale
from rdtf_bench.spec.plan import Cell, plan
from tests.plans import DATA


@pytest.fixture
def stickers(tmp_path: Path) -> str:
    """50 test clips of 5 frames of 16 px, and one to train on."""
    root = tmp_path / "stickers"
    root.mkdir()
    rows = [{"file_name": f"{i}.png", "text": f"text {i}", "split": "test" if i else "train"} for i in range(51)]
    for i, row in enumerate(rows):
        frames = torch.randint(0, 256, (5, 16, 16, 3), generator=generator_for("sticker", i)).byte().numpy()
        first, *others = [Image.fromarray(frame) for frame in frames]
        first.save(root / row["file_name"], save_all=True, append_images=others, duration=100)
    (root / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(root)


@pytest.fixture
def planned(tmp_path: Path) -> tuple[Bench, list[Cell]]:
    """Return table1 at scale tiny in an empty store, and its cells."""
    spec, scale = load_protocol("table1"), load_scale("tiny")
    assets = find_assets(scale)
    cells = plan(spec, scale, DATA, {role: asset.digest for role, asset in assets.items()}, catalog.constants)
    return make_bench(spec.controls, scale, Dataset(identity=DATA, clips={}), assets, Store(tmp_path)), cells
