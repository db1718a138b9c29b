"""A row that is sampled and observed in shards, by many workers in any order, is the row of one worker."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from rdtf_bench.core.errors import StoreError
from rdtf_bench.core.method import Conditions, Sampler
from rdtf_bench.core.store import Store
from rdtf_bench.core.video import Video
from rdtf_bench.run.build import modules
from rdtf_bench.run.inputs import datasets
from rdtf_bench.run.progress import Silent
from rdtf_bench.run.storage.damage import mend
from rdtf_bench.run.table import context as benches
from rdtf_bench.run.table import fit, score, work
from rdtf_bench.run.table.context import Bench
from rdtf_bench.run.table.finished import score_of
from rdtf_bench.run.table.sample import read_samples
from rdtf_bench.run.table.schedule import Job, jobs_for, ready
from rdtf_bench.run.table.score import read_observations
from rdtf_bench.spec.identities import QualityScore
from rdtf_bench.spec.load import load_protocol, load_scale
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.schema import ClipShape

METRICS = ("fvd", "vqa")


@pytest.fixture
def sampled(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let trained rows sample noise, and return the size of each batch that they sample."""
    sizes: list[int] = []

    def generate(given: Conditions, generators: Sequence[torch.Generator], sampler: Sampler) -> Video:
        del sampler
        sizes.append(len(generators))
        return torch.stack([torch.rand(given.frames.shape[1:], generator=generator) for generator in generators])

    monkeypatch.setattr(fit, "fitted", lambda *_, **__: SimpleNamespace(generate=generate))
    return sizes


def bench_at(root: Path, stickers: str, clips_per_job: int | None) -> tuple[Bench, list[Cell]]:
    """Return a table of one row that is trained already, 50 test clips and one control row."""
    spec = load_protocol("table1")
    rows = tuple(row for row in spec.rows if row.method == "rdtf")
    controls = ("static",)
    spec = spec.model_copy(update={"rows": rows, "metrics": METRICS, "controls": controls})
    scale = load_scale("tiny")
    sampling = scale.sampling.model_copy(update={"clips_per_job": clips_per_job})
    scale = scale.model_copy(update={"clip": ClipShape(num_frames=4, size_px=16), "sampling": sampling})
    store = Store(root)
    data = datasets.read("asg", stickers, scale.data, 4, store=store.root, skip_broken=False)
    assets = benches.find_assets(scale)
    cells = benches.plan_cells(spec, scale, data.identity, assets)
    for cell in cells:
        if cell.fit is not None:
            store.make("fit", cell.fit_key, lambda _: None)
    return benches.make_bench(spec.controls, scale, data, assets, store), cells


def run_jobs(bench: Bench, jobs: Sequence[Job], seed: int) -> None:
    """Run jobs one at a time, each time one of those that can start, chosen at random."""
    waiting, done, chooser = {job.name: job for job in jobs}, set[str](), random.Random(seed)
    while waiting:
        job = chooser.choice(ready(waiting.values(), done))
        if job.function != "selftest":
            getattr(work, job.function)(bench, Silent(), job.name, **job.arguments)
        del waiting[job.name]
        done.add(job.name)


def test_the_jobs_of_a_row_are_its_shards_each_observed_when_it_is_sampled(tmp_path: Path, stickers: str) -> None:
    bench, cells = bench_at(tmp_path / "store", stickers, 16)
    jobs = {job.name: job for job in jobs_for(bench, cells)}
    assert [chosen.stop - chosen.start for chosen in bench.shards] == [16, 16, 16, 2]
    assert jobs["observe RDTF 2/4"].after == {"real clips", "sample RDTF 2/4"}
    assert jobs["observe static 2/4"].after == {"real clips", "static"}
    observing = {f"observe RDTF {number}/4" for number in (1, 2, 3, 4)}
    assert {*observing, "fvd of the real clips"} <= jobs["score RDTF"].after
    assert {f"fvd of the real clips {number}/4" for number in (1, 2, 3, 4)} <= jobs["fvd of the real clips"].after
    leases = [job.lease for job in jobs.values()]
    assert len(leases) == len(set(leases))


@pytest.mark.slow
@pytest.mark.usefixtures("sampled")
def test_shards_in_any_order_give_the_bits_of_one_job(tmp_path: Path, stickers: str) -> None:
    whole, cells = bench_at(tmp_path / "whole", stickers, None)
    sharded, _ = bench_at(tmp_path / "sharded", stickers, 32)
    run_jobs(whole, jobs_for(whole, cells), 0)
    run_jobs(sharded, jobs_for(sharded, cells), 1)
    assert jobs_for(sharded, cells) == []
    for cell in cells:
        one, many = (read_samples(bench.store.path("samples", cell.sample_key)) for bench in (whole, sharded))
        assert torch.equal(one, many)
        for metric, identity in cell.scores.items():
            assert isinstance(identity, QualityScore)
            key = identity.observation_key(cell.sample_key)
            assert torch.equal(read_observations(whole.store, key), read_observations(sharded.store, key))
            assert score_of(whole.store, identity.key) == score_of(sharded.store, identity.key), (cell.label, metric)
    assert [path for path in (tmp_path / "sharded" / "unfinished").rglob("*") if path.is_file()] == []


def test_what_a_killed_run_has_sampled_and_observed_is_kept(
    tmp_path: Path, stickers: str, sampled: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, cells = bench_at(tmp_path / "store", stickers, 16)
    row = [replace(cell, scores={"vqa": cell.scores["vqa"]}) for cell in cells if cell.fit is not None]
    jobs = {job.name: job for job in jobs_for(bench, row)}
    before = ("real clips", "sample RDTF 2/4", "observe RDTF 2/4")
    run_jobs(bench, [replace(jobs[name], after=frozenset()) for name in before[:1]], 0)
    run_jobs(bench, [replace(jobs[name], after=frozenset(before[1:2]) - {name}) for name in before[1:]], 0)
    assert sampled == [16]
    observed: list[str] = []
    observe = score.observe

    def counted(*given: Any, **named: Any) -> None:
        observed.extend(given[3])
        observe(*given, **named)

    monkeypatch.setattr(score, "observe", counted)
    run_jobs(bench, jobs_for(bench, row), 2)
    assert sorted(sampled) == [2, 16, 16, 16]
    real = work.real_clips(bench, "test")
    assert sorted(observed) == sorted({*real.ids} - {*real.ids[16:32]})


def test_a_row_whose_shards_were_removed_is_not_scored_as_a_shorter_one(
    tmp_path: Path, stickers: str, sampled: list[int]
) -> None:
    bench, cells = bench_at(tmp_path / "store", stickers, 16)
    (cell,) = [cell for cell in cells if cell.fit is not None]
    work.prepare_real(bench, Silent(), "real clips")
    work.sample(bench, Silent(), "sample RDTF 1/4", cell, 0)
    assert sampled == [16]
    with pytest.raises(StoreError, match=r"shard-0001\.safetensors: these clips are absent"):
        work.score_cell(bench, Silent(), "score RDTF", cell)


def test_observations_that_are_whole_survive_a_run_that_is_killed_while_it_joins_them(
    tmp_path: Path, stickers: str, sampled: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, cells = bench_at(tmp_path / "store", stickers, 32)
    row = [replace(cell, scores={"vqa": cell.scores["vqa"]}) for cell in cells if cell.fit is not None]
    make = Store.make

    def killed(store: Store, kind: str, key: str, write: Callable[[Path], None]) -> Path:
        if kind == "observations":
            raise KeyboardInterrupt
        return make(store, kind, key, write)

    jobs = jobs_for(bench, row)
    monkeypatch.setattr(Store, "make", killed)
    with pytest.raises(KeyboardInterrupt):
        run_jobs(bench, jobs, 0)
    monkeypatch.setattr(Store, "make", make)
    assert sorted(sampled) == [2, 16, 16, 16]
    monkeypatch.setattr("rdtf_bench.run.table.score.build_metric", only_to_score(modules.build_metric))
    run_jobs(bench, jobs_for(bench, row), 0)
    assert jobs_for(bench, row) == []


def only_to_score(build: Callable[..., Any]) -> Callable[..., Any]:
    def built(*given: Any) -> Any:
        metric = build(*given)
        metric.observe = lambda *_: pytest.fail("observed again")
        return metric

    return built


def test_what_was_seen_of_damaged_clips_is_not_kept(tmp_path: Path, stickers: str, sampled: list[int]) -> None:
    bench, cells = bench_at(tmp_path / "store", stickers, 32)
    row = [replace(cell, scores={"vqa": cell.scores["vqa"]}) for cell in cells if cell.fit is not None]
    before = [job for job in jobs_for(bench, row) if not job.name.startswith("score")]
    run_jobs(bench, before, 0)
    (bench.store.path("clips", bench.real["test"]) / "sha256.json").write_text("{")
    mend(bench.store, row, bench.real.values(), bench.training.identity.key)
    left = {job.name for job in jobs_for(bench, row)}
    assert "real clips" in left
    assert not list((bench.store.root / "unfinished" / "observed").glob("*/*"))
    assert sampled
