from rdtf_bench.core.store import Store
from rdtf_bench.run.selftest import record as selftest_record
from rdtf_bench.run.table.context import Bench
from rdtf_bench.run.table.schedule import Job, expected_seconds, jobs_for
from rdtf_bench.spec.plan import Cell


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
