"""A store with the clips of the planted table: six prompts of eight frames, and a training log."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from rdtf_bench.core.store import Store, write_text
from rdtf_bench.report.page.table_page import Contents
from rdtf_bench.run import per_clip
from rdtf_bench.run.per_clip import ClipScores
from rdtf_bench.run.record import Record
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import TableSpec

NUM_CLIPS, NUM_FRAMES, SIZE_PX = 6, 8, 16
CAPTIONS = ("a red star", "a <b>blue</b> star", "a green heart", "a pink heart", "a brown square", 'a "cat" & more')
VQA = {"RDTF": (0.3, 0.1, 0.6, 0.2, 0.5, 0.4), "real": (0.9, 0.8, 0.7, 0.6, 0.5, 0.4)}


def video(level: int) -> torch.Tensor:
    """Grey clips, each frame 20 levels brighter than the one before it."""
    frames = level + 20 * torch.arange(NUM_FRAMES).view(1, -1, 1, 1, 1)
    return frames.expand(NUM_CLIPS, NUM_FRAMES, 3, SIZE_PX, SIZE_PX).clamp(0, 255).to(torch.uint8).contiguous()


@pytest.fixture
def store(cells: list[Cell], tmp_path: Path) -> Store:
    """Holds the clips of every row but SimDA."""
    made = Store(tmp_path / "store")

    def write_real(folder: Path) -> None:
        save_file({"video": video(0)}, folder / "clips.safetensors")
        ids = [f"asg/test/{number:05d}" for number in range(NUM_CLIPS)]
        write_text(folder / "clips.json", json.dumps({"ids": ids, "captions": CAPTIONS}))

    made.make("clips", cells[0].sample.real.key, write_real)
    for number, cell in enumerate(cells):
        if cell.label != "SimDA":
            shard = made.unfinished("samples", cell.sample_key) / "shard-0000.safetensors"
            save_file({"video": video(10 * number)}, shard)
            made.finish("samples", cell.sample_key)
    return made


@pytest.fixture
def contents(
    spec: TableSpec,
    scale: Scale,
    cells: list[Cell],
    parted: dict[str, Record],
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> Contents:
    """The planted table with that store, whose clips have a VQA of their own."""
    rdtf = next(cell for cell in cells if cell.label == "RDTF")
    log = [json.dumps({"step": step, "elapsed_s": 1.0, "loss": 1 / (step + 1)}) + "\n" for step in range(9)]
    store.make("fit", rdtf.fit_key, lambda folder: write_text(folder / "log.jsonl", "".join(log)))
    scores = ClipScores(metric="vqa", label="VQA", explanation="By hand.", higher_is_better=True, rows=VQA)
    monkeypatch.setattr(per_clip, "of_table", lambda *_: [scores])
    return Contents(spec=spec, scale=scale, cells=cells, records=parted, store=store)
