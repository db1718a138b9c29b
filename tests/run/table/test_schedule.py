import json
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from rdtf_bench.core.store import Store
from rdtf_bench.run.inputs.training_set import SHARD
from rdtf_bench.run.selftest import record as selftest_record
from rdtf_bench.run.table.context import Bench
from rdtf_bench.run.table.schedule import Job, expected_seconds, jobs_for, ready
from rdtf_bench.spec.identities import ExternalSamples, PipelineSamples, TrainedSamples
from rdtf_bench.spec.pipeline import PipelineSettings
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.scale import ExpectedSeconds, Scale

RESULTS = Path(__file__).parents[3] / "results"
PUBLISHED = sorted(RESULTS.glob("*/tables/*.json"))
EXPECTED_AS = {
    "train": set(),  # counted by seconds_per_step
    "read_external": {"make_control"},
    "prepare_shard": {"prepare_frames", "prepare_latents", "prepare_features"},
}
"""Functions whose expected seconds have another name."""


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
        "training clips 1/3",
        "training clips 2/3",
        "training clips 3/3",
        "train RDTF",
        "sample RDTF",
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
        if "fvd" in cell.scores:
            finish(bench.store, "parts", cell.score_key("fvd"))
    assert jobs_for(bench, cells) == []


def test_scores_that_were_made_before_parts_were_are_scored_again(planned: tuple[Bench, list[Cell]]) -> None:
    bench, cells = planned
    for cell in cells:
        finish(bench.store, "samples", cell.sample_key)
        for metric in cell.scores:
            finish(bench.store, "scores", cell.score_key(metric))
        if "fvd" in cell.scores and cell.label != "static":
            finish(bench.store, "parts", cell.score_key("fvd"))
    jobs = jobs_for(bench, cells)
    assert "score static" in names(jobs)
    assert "score RDTF" not in names(jobs)
    assert "denoiser seconds" not in names(jobs)


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


def test_rows_whose_weights_will_be_installed_are_sampled_without_training(
    planned: tuple[Bench, list[Cell]],
) -> None:
    bench, cells = planned
    keys = {cell.fit_key for cell in cells if cell.fit is not None}
    jobs = jobs_for(bench, cells, installable=keys)
    assert not any("training" in name for name in names(jobs))
    assert not any(job.function == "train" for job in jobs)
    assert sum(job.function == "sample" for job in jobs) == len(keys)
    one_left = jobs_for(bench, cells, installable=keys - {min(keys)})
    assert any("training" in name for name in names(one_left))
    (train,) = [job for job in one_left if job.function == "train"]
    trained = train.arguments["cell"]
    assert isinstance(trained, Cell)
    assert trained.fit_key == min(keys)


def test_rows_that_share_their_weights_are_trained_once(planned: tuple[Bench, list[Cell]]) -> None:
    bench, cells = planned
    row = next(cell for cell in cells if cell.label == "RDTF")
    assert isinstance(row.sample, TrainedSamples)
    other = replace(row, label="other seed", sample=row.sample.model_copy(update={"seed": 1}))
    jobs = {job.name: job for job in jobs_for(bench, [row, other])}
    assert [name for name, job in jobs.items() if job.function == "train"] == ["train RDTF"]
    assert "train RDTF" in jobs["sample other seed"].after


def test_clips_that_the_store_holds_are_not_made_again_and_are_scored_after_the_real_ones_are_decoded(
    planned: tuple[Bench, list[Cell]],
) -> None:
    bench, cells = planned
    for cell in cells:
        finish(bench.store, "samples", cell.sample_key)
        if cell.fit is not None:
            finish(bench.store, "fit", cell.fit_key)
    jobs = {job.name: job for job in jobs_for(bench, cells)}
    assert {job.function for job in jobs.values()}.isdisjoint({"train", "sample", "make_control", "prepare_shard"})
    assert "real clips" in jobs["score static"].after


def test_one_row_that_was_not_timed_has_all_timed_together(planned: tuple[Bench, list[Cell]]) -> None:
    bench, cells = planned
    for cell in cells[1:]:
        for metric in cell.scores:
            finish(bench.store, "scores", cell.score_key(metric))
    (timing,) = [job for job in jobs_for(bench, cells) if job.function == "time_denoisers"]
    assert timing.arguments == {"cells": [cell for cell in cells if cell.fit is not None]}


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
    (other,) = [cell for cell in cells if cell.label == "other real clips"]
    assert "self-test" in names(jobs_for(bench, [other]))
    selftest_record.save(bench.store.root, bench.scale, {"resize": "wrong"})
    assert "self-test" not in names(jobs_for(bench, cells))


def test_the_longest_job_that_can_start_is_first() -> None:
    short, long = (Job(name=name, function="f", expected_s=seconds) for name, seconds in (("s", 1.0), ("l", 9.0)))
    later = Job(name="later", function="f", expected_s=99.0, after=frozenset({"s", "l"}))
    assert ready([short, later, long], set()) == [long, short]
    assert ready([later], {"s"}) == []
    assert ready([later], {"s", "l", "another"}) == [later]


def test_a_pipeline_is_first_because_it_may_refuse_its_arguments(planned: tuple[Bench, list[Cell]]) -> None:
    bench, cells = planned
    static = next(cell for cell in cells if cell.label == "static")
    sample = PipelineSamples(
        pipeline="f",
        pipeline_class="P",
        settings=PipelineSettings(),
        version=1,
        task="it2v",
        known_frames="keep",
        real=static.sample.real,
        num_steps=1,
        seed=0,
    )
    pipeline = replace(static, label="mine", kind="external", sample=sample)
    jobs = jobs_for(bench, [*cells, pipeline])
    done = {job.name for job in jobs if job.name == "real clips" or job.function == "prepare_shard"}
    first = ready([job for job in jobs if job.name not in done], done)[0]
    assert (first.name, first.function) == ("sample mine", "sample_pipeline")
    assert first.after == {"real clips"}


def test_rows_wait_for_what_is_prepared_and_scores_for_their_row(planned: tuple[Bench, list[Cell]]) -> None:
    jobs = {job.name: job for job in jobs_for(*planned)}
    assert jobs["train RDTF"].after == {f"training clips {number}/3" for number in (1, 2, 3)}
    assert jobs["sample RDTF"].after == {"real clips", "train RDTF"}
    assert jobs["static"].after == {"real clips"}
    assert {"sample RDTF", "fvd of the real clips"} <= jobs["score RDTF"].after
    assert jobs["denoiser seconds"].after == jobs.keys() - {"denoiser seconds"}


def test_what_the_store_holds_is_not_prepared_again(planned: tuple[Bench, list[Cell]]) -> None:
    bench, cells = planned
    bench = replace(bench, training=replace(bench.training, shards=("a", "b", "c")))
    finish(bench.store, SHARD, "a")
    finish(bench.store, SHARD, "c")
    jobs = [job for job in jobs_for(bench, cells) if job.function == "prepare_shard"]
    assert [(job.name, job.arguments, job.after) for job in jobs] == [("training clips 2/3", {"shard": 1}, frozenset())]


def test_the_expected_time_of_a_shard_is_its_share_of_the_clips(planned: tuple[Bench, list[Cell]]) -> None:
    bench, cells = planned
    jobs = [job for job in jobs_for(bench, cells) if job.function == "prepare_shard"]
    assert [job.expected_s for job in jobs] == [48 * 256 / 600, 48 * 256 / 600, 48 * 88 / 600]


def test_a_row_of_ready_clips_is_read_and_trains_nothing(planned: tuple[Bench, list[Cell]]) -> None:
    bench, cells = planned
    static = next(cell for cell in cells if cell.method == "static")
    sample = ExternalSamples(clips="fingerprint", task="it2v", known_frames="keep", real=static.sample.real)
    ready_clips = replace(static, label="mine", kind="external", sample=sample)
    (job,) = [job for job in jobs_for(bench, [ready_clips]) if job.name == "mine"]
    assert (job.function, job.expected_s) == ("read_external", bench.scale.expected_seconds.make_control)


def test_every_kind_of_job_has_its_expected_seconds(planned: tuple[Bench, list[Cell]]) -> None:
    kinds = set().union(*(EXPECTED_AS.get(job.function, {job.function}) for job in jobs_for(*planned)))
    assert kinds == set(ExpectedSeconds.model_fields)


def test_a_kind_of_job_that_is_missing_or_unknown_is_named(planned: tuple[Bench, list[Cell]]) -> None:
    given = planned[0].scale.model_dump()["expected_seconds"]
    with pytest.raises(ValidationError, match=r"sampel\n *Extra inputs"):
        ExpectedSeconds(**given, **{"sampel": 1.0})
    with pytest.raises(ValidationError, match=r"sample\n *Field required"):
        ExpectedSeconds(**{kind: seconds for kind, seconds in given.items() if kind != "sample"})


@pytest.mark.skipif(not PUBLISHED, reason="an installed package has no results folder")
def test_the_scale_of_every_published_table_loads() -> None:
    for path in PUBLISHED:
        raw = json.loads(path.read_text(encoding="utf-8"))["scale"]
        loaded = Scale.model_validate_json(json.dumps(raw))
        assert loaded.expected_seconds.model_dump() == raw["expected_seconds"], path
