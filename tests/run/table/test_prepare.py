"""Preparing the training clips ahead of a run: what is left to do, what it needs, and what an engine is given."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from PIL import Image
from rich.console import Console

from rdtf_bench.core.errors import StoreError
from rdtf_bench.core.leases import Leases
from rdtf_bench.core.seeds import generator_for
from rdtf_bench.run.inputs.training_set import LIST, SHARD, listed_clips
from rdtf_bench.run.table import prepare as preparing
from rdtf_bench.run.table.context import Bench
from rdtf_bench.run.table.prepare import Preparation, prepare
from rdtf_bench.run.table.schedule import Job
from rdtf_bench.spec.load import load_scale
from rdtf_bench.spec.schema import ClipShape


class Engine:
    """Finishes the jobs that it is given, up to one that it stops before, and notes which clips are listed."""

    def __init__(self, stops_before: int | None = None) -> None:
        self.listed: list[str] = []
        self._stops_before = stops_before

    def run(self, jobs: Sequence[Job], bench: Bench, console: Console, *, leases: Leases, quiet: bool) -> float:
        del console, leases, quiet
        self.listed = [clip.id for clip in listed_clips(bench.store, bench.training.identity, bench.training.root)]
        for number, job in enumerate(jobs):
            if number == self._stops_before:
                raise KeyboardInterrupt
            shard = job.arguments["shard"]
            assert isinstance(shard, int)
            bench.store.make(SHARD, bench.training.shards[shard], lambda _: None)
        return 0.0


@pytest.fixture
def leases(tmp_path: Path) -> Iterator[Leases]:
    with Leases(tmp_path / "store") as held:
        yield held


@pytest.fixture
def stickers_to_train_on(stickers: str) -> str:
    """25 stickers for training beside 50 for test, of 5 frames each."""
    root = Path(stickers)
    rows = (root / "metadata.jsonl").read_text()
    for number in range(24):
        pixels = torch.randint(0, 256, (5, 16, 16, 3), generator=generator_for("more", number)).byte().numpy()
        first, *others = [Image.fromarray(frame) for frame in pixels]
        first.save(root / f"more {number}.png", save_all=True, append_images=others, duration=100)
        rows += f'{{"file_name": "more {number}.png", "text": "more {number}", "split": "train"}}\n'
    (root / "metadata.jsonl").write_text(rows)
    return stickers


def found(stickers: str, root: Path) -> Preparation:
    tiny = load_scale("tiny")
    data = tiny.data.model_copy(update={"clips_per_shard": 10})
    scale = tiny.model_copy(update={"clip": ClipShape(num_frames=4, size_px=16), "data": data})
    return preparing.preparation("asg", stickers, scale, root, skip_broken=False)


def test_what_is_left_shrinks_as_shards_are_made(stickers_to_train_on: str, leases: Leases, tmp_path: Path) -> None:
    first = found(stickers_to_train_on, tmp_path / "store")
    assert [job.name for job in first.jobs] == ["training clips 1/3", "training clips 2/3", "training clips 3/3"]
    assert [job.expected_s for job in first.jobs] == [10.0, 10.0, 5.0]
    # 25 clips of 5 frames: latents of 4x2x2, and features of at most 5 dimensions, in float32
    assert first.num_bytes == 25 * (5 * 4 * 2 * 2 + 5 * 5) * 4
    engine, quiet = Engine(stops_before=1), Console(quiet=True)
    with pytest.raises(KeyboardInterrupt):
        prepare(first, quiet, leases=leases, quiet=True, engine=engine)
    assert len(engine.listed) == 25
    again = found(stickers_to_train_on, tmp_path / "store")
    assert [job.arguments for job in again.jobs] == [{"shard": 1}, {"shard": 2}]
    assert again.num_bytes == 15 * (5 * 4 * 2 * 2 + 5 * 5) * 4
    prepare(again, quiet, leases=leases, quiet=True, engine=Engine())
    assert found(stickers_to_train_on, tmp_path / "store").jobs == []


def test_too_little_space_is_refused_before_any_work(
    stickers: str, leases: Leases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = found(stickers, tmp_path / "store")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=wanted.num_bytes - 1))
    with pytest.raises(
        StoreError, match=r"are needed at most, but .* are free\. Free some space, or choose a store on"
    ):
        prepare(wanted, Console(quiet=True), leases=leases, quiet=True, engine=Engine())
    assert not wanted.bench.store.has(LIST, wanted.bench.training.identity.key)
