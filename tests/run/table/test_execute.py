from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from rdtf_bench import catalog
from rdtf_bench.core.errors import ProtocolError, StoreError
from rdtf_bench.core.store import Store
from rdtf_bench.run.inputs.datasets import Dataset
from rdtf_bench.run.record import ScoreRecord
from rdtf_bench.run.selftest import record as selftest_record
from rdtf_bench.run.table import execute
from rdtf_bench.run.table.context import Bench, find_assets, make_bench
from rdtf_bench.run.table.execute import Job, expected_seconds, jobs_for
from rdtf_bench.run.table.sample import write_control
from rdtf_bench.run.table.score import write_score
from rdtf_bench.spec.load import load_protocol, load_scale
from rdtf_bench.spec.plan import Cell, plan
from rdtf_bench.spec.schema import Row
from tests.plans import DATA


@pytest.fixture
def planned(tmp_path: Path) -> tuple[Bench, list[Cell]]:
    spec, scale = load_protocol("table1"), load_scale("tiny")
    assets = find_assets(scale)
    cells = plan(spec, scale, DATA, {role: asset.digest for role, asset in assets.items()}, catalog.constants)
    return make_bench(spec, scale, DATA, {}, assets, Store(tmp_path)), cells


def finish(store: Store, kind: str, key: str) -> None:
    store.make(kind, key, lambda _: None)


def names(jobs: list[Job]) -> set[str]:
    return {job.name for job in jobs}


def test_every_job_comes_after_what_it_waits_for(planned: tuple[Bench, list[Cell]]) -> None:
    seen: set[str] = set()
    for job in jobs_for(*planned):
        assert job.after <= seen
        seen.add(job.name)


def test_an_empty_store_needs_everything(planned: tuple[Bench, list[Cell]]) -> None:
    assert names(jobs_for(*planned)) >= {
        "real clips",
        "training frames",
        "training latents",
        "training features",
        "RDTF",
        "score RDTF",
        "static",
        "fvd of the real clips",
        "denoiser seconds",
    }


def test_a_full_store_needs_nothing(planned: tuple[Bench, list[Cell]]) -> None:
    bench, cells = planned
    for cell in cells:
        for metric in cell.scores:
            finish(bench.store, "scores", cell.score_key(metric))
    assert jobs_for(bench, cells) == []


def test_a_new_metric_scores_stored_samples_and_trains_nothing(planned: tuple[Bench, list[Cell]]) -> None:
    bench, cells = planned
    for cell in cells:
        finish(bench.store, "samples", cell.sample_key)
        if cell.fit is not None:
            finish(bench.store, "fit", cell.fit_key)
        for metric in set(cell.scores) - {"vqa"}:
            finish(bench.store, "scores", cell.score_key(metric))
    assert not any("training" in name for name in names(jobs_for(bench, cells)))
    assert "denoiser seconds" not in names(jobs_for(bench, cells))
    assert "score RDTF" in names(jobs_for(bench, cells))


def test_one_row_that_was_not_timed_has_all_timed_together(planned: tuple[Bench, list[Cell]]) -> None:
    bench, cells = planned
    for cell in cells[1:]:
        for metric in cell.scores:
            finish(bench.store, "scores", cell.score_key(metric))
    (timing,) = [job for job in jobs_for(bench, cells) if job.function == "time_denoisers"]
    assert len(timing.arguments["cells"]) == 4


def test_the_expected_time_is_the_longer_of_the_work_and_the_chain() -> None:
    first = Job(name="a", function="f", expected_s=10.0)
    chain = Job(name="b", function="f", expected_s=5.0, after=frozenset({"a"}))
    side = Job(name="c", function="f", expected_s=1.0)
    assert expected_seconds([first, chain, side], workers=2) == 15
    assert expected_seconds([first, chain, side], workers=1) == 16


def test_the_self_test_is_made_once_a_store_whichever_of_its_metrics_is_scored(
    planned: tuple[Bench, list[Cell]],
) -> None:
    bench, cells = planned
    assert "self-test" in names(jobs_for(bench, cells))
    (noise_floor,) = [cell for cell in cells if cell.label == "noise_floor"]
    assert "self-test" in names(jobs_for(bench, [noise_floor]))
    selftest_record.save(bench.store.root, bench.scale, {"resize": "wrong"})
    assert "self-test" not in names(jobs_for(bench, cells))


def test_two_runs_in_one_store_are_refused(tmp_path: Path) -> None:
    with (
        execute._only_run_in(tmp_path),
        pytest.raises(StoreError, match="another run works in this store"),
        execute._only_run_in(tmp_path),
    ):
        pass


def test_options_of_every_row_to_be_trained_are_checked_before_any_job(planned: tuple[Bench, list[Cell]]) -> None:
    bench, _ = planned
    spec = load_protocol("table1")
    wrong = spec.model_copy(update={"rows": (*spec.rows, Row(label="mine", method="rdtf", options={"k_max": 9}))})
    digests = {role: asset.digest for role, asset in find_assets(bench.scale).items()}
    jobs = jobs_for(bench, plan(wrong, bench.scale, DATA, digests, catalog.constants))
    with ThreadPoolExecutor(1) as pool, pytest.raises(ProtocolError, match=r"row 'mine': .*k_max 9"):
        execute._check_options(jobs, bench, pool)


def test_a_record_keeps_what_another_table_scored_of_the_same_clips(planned: tuple[Bench, list[Cell]]) -> None:
    bench, cells = planned
    static = next(cell for cell in cells if cell.method == "static")
    write_control(torch.zeros(2, 8, 3, 4, 4, dtype=torch.uint8), static.sample_key, seconds=1.0, store=bench.store)
    for metric in static.scores:
        score = ScoreRecord(
            label=metric,
            unit="",
            higher_is_better=True,
            version=1,
            yardstick="",
            value=0.5,
            ci_low=0.4,
            ci_high=0.6,
            n=2,
            without_group=(),
            key=static.score_key(metric),
        )
        write_score(score, score.key, bench.store)
    data = Dataset(identity=DATA, clips={}, facts={})
    for table in ("table1", "table2-interpolation"):
        metrics = load_protocol(table).metrics
        wanted = replace(static, scores={name: scored for name, scored in static.scores.items() if name in metrics})
        record = execute._records(load_protocol(table), bench.scale, data, bench, [wanted])[static.id]
        assert set(record.scores) == set(record.config["scores"]) == {"fvd", "vqa", "clip"}
