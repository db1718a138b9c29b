"""Table 1 from the protocol to the printed numbers, in miniature: every part is the real one, counts are smaller."""

import json
import math
import multiprocessing
import time
from pathlib import Path

import pytest
from rich.console import Console

from rdtf_bench.core.store import Store
from rdtf_bench.report.table.table import render
from rdtf_bench.run.table import execute, finished
from rdtf_bench.run.table.execute import Outcome
from rdtf_bench.spec.load import load_protocol, load_scale
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import TableSpec

pytestmark = pytest.mark.slow
KEYS = ["method", "dataset", "task", "metric", "yardstick", "value", "ci_low", "ci_high", "n", "paper"]


def miniature() -> Scale:
    scale = load_scale("tiny")
    return scale.model_copy(
        update={
            "clip": scale.clip.model_copy(update={"size_px": 32}),  # decoding 64 px takes most of the time
            "data": scale.data.model_copy(update={"train": 24, "validation": 50, "test": 50, "max_frames": 8}),
            "training": scale.training.model_copy(update={"num_steps": 4, "batch_size": 4, "checkpoint_every": 2}),
            "sampling": scale.sampling.model_copy(update={"num_steps": 2, "batch_size": 32}),
            "timing": scale.timing.model_copy(update={"warmup": 1, "repeats": 3}),
        }
    )


def run(spec: TableSpec, scale: Scale, root: Path) -> Outcome:
    return execute.run(spec, scale, source=None, root=root, skip_broken=False, console=Console(quiet=True), quiet=True)


@pytest.fixture(scope="session")
def table1(tmp_path_factory: pytest.TempPathFactory) -> tuple[TableSpec, Scale, Outcome]:
    spec, scale = load_protocol("table1"), miniature()
    return spec, scale, run(spec, scale, tmp_path_factory.mktemp("runs"))


def numbers(table: tuple[TableSpec, Scale, Outcome]) -> list[dict[str, object]]:
    spec, scale, outcome = table
    rows: list[dict[str, object]] = json.loads(
        render(spec, scale, outcome.cells, outcome.records, format="json", width=None)
    )
    return rows


def test_every_number_that_applies_is_there_and_finite(table1: tuple[TableSpec, Scale, Outcome]) -> None:
    rows = numbers(table1)
    assert all(list(row) == KEYS for row in rows)
    assert all(math.isfinite(float(str(row[key]))) for row in rows for key in ("value", "ci_low", "ci_high", "n"))
    found = {(row["method"], row["metric"]) for row in rows}
    methods = {"rdtf", "i2v_adapter", "simda", "customize_a_video"}
    metrics = ["fvd", "vqa", "clip", "params", "seconds"]
    expected = {(method, metric) for method in methods for metric in metrics}
    expected |= {(control, metric) for control in ("static", "autoencoder") for metric in metrics[:3]}
    expected |= {("real", "vqa"), ("real", "clip")}
    expected |= {("other_real_clips", "fvd")}
    parts = ("fvd_appearance", "fvd_motion")
    expected |= {(row, part) for row, metric in expected if metric == "fvd" for part in parts}
    assert found == expected


def test_the_papers_numbers_stand_beside_ours(table1: tuple[TableSpec, Scale, Outcome]) -> None:
    paper = {(row["method"], row["metric"]): row["paper"] for row in numbers(table1)}
    assert paper["rdtf", "fvd"] == 442.18
    assert paper["simda", "params"] == 1.32e9
    assert paper["static", "fvd"] is None


def test_an_interval_holds_its_value_and_n_is_the_number_of_clips(table1: tuple[TableSpec, Scale, Outcome]) -> None:
    for row in numbers(table1):
        assert float(str(row["ci_low"])) <= float(str(row["value"])) <= float(str(row["ci_high"]))
        if row["metric"] in ("fvd", "vqa", "clip"):
            assert row["n"] == 50


def test_a_second_run_does_nothing(table1: tuple[TableSpec, Scale, Outcome]) -> None:
    spec, scale, outcome = table1
    again = run(spec, scale, outcome.bench.store.root)
    assert again.jobs_done == 0
    assert again.records == outcome.records


def test_a_record_says_what_decided_it(table1: tuple[TableSpec, Scale, Outcome]) -> None:
    _, scale, outcome = table1
    record = next(record for record in outcome.records.values() if record.method == "rdtf")
    assert record.config["fit"]["training"]["num_steps"] == scale.training.num_steps
    assert record.config["fit"]["data"]["train"].startswith("toy-asg-")
    assert set(record.config["fit"]["assets"]) >= {"autoencoder", "text_encoder", "t5_encoder"}
    assert record.environment["packages"]["torch"]
    assert record.components["total"] == record.scores["params"].value
    assert record.stage_seconds["fit"] > 0
    assert len(record.scores["fvd"].without_group) == 50


def test_every_step_has_a_loss(table1: tuple[TableSpec, Scale, Outcome]) -> None:
    _, scale, outcome = table1
    for cell in outcome.cells:
        if cell.fit is not None:
            log = finished.training_log(outcome.bench.store, cell.fit_key)
            assert [row["step"] for row in log] == list(range(scale.training.num_steps))
            assert all(math.isfinite(row["loss"]) for row in log)


def test_a_killed_run_ends_in_the_same_clips(table1: tuple[TableSpec, Scale, Outcome], tmp_path: Path) -> None:
    """Killed without warning while it trains, then run again in the same store. Scores follow from the clips' bytes."""
    spec, scale, outcome = table1
    one_row = spec.model_copy(update={"rows": spec.rows[-1:], "controls": (), "metrics": ("params",)})
    process = multiprocessing.get_context("spawn").Process(target=run, args=(one_row, scale, tmp_path))
    process.start()
    deadline_s = time.monotonic() + 600
    while not list((tmp_path / "unfinished" / "fit").glob("*/checkpoints/checkpoint.pt")):
        assert time.monotonic() < deadline_s, "no checkpoint was written"
        assert process.is_alive() or list((tmp_path / "fit").glob("*")), "the run ended before it was killed"
        if list((tmp_path / "fit").glob("*")):
            break  # too quick to be caught: then it goes on from the finished fit
        time.sleep(0.005)
    process.kill()
    process.join()
    time.sleep(2)  # its workers notice within a second
    killed = run(one_row, scale, tmp_path)
    assert killed.jobs_done > 0
    uninterrupted = next(record for record in outcome.records.values() if record.method == "rdtf")
    (record,) = killed.records.values()
    assert record.samples_sha256 == uninterrupted.samples_sha256
    key = killed.cells[0].sample_key
    shard = "shard-0000.safetensors"
    assert _video(killed.bench.store, key, shard) == _video(outcome.bench.store, key, shard)


@pytest.mark.long
def test_two_runs_in_one_store_train_a_row_once(table1: tuple[TableSpec, Scale, Outcome], tmp_path: Path) -> None:
    spec, scale, outcome = table1
    one_row = spec.model_copy(update={"rows": spec.rows[-1:], "controls": (), "metrics": ("params",)})
    process = multiprocessing.get_context("spawn").Process(target=run, args=(one_row, scale, tmp_path))
    process.start()
    ours = run(one_row, scale, tmp_path)
    process.join()
    assert process.exitcode == 0
    (record,) = ours.records.values()
    uninterrupted = next(record for record in outcome.records.values() if record.method == "rdtf")
    assert record.samples_sha256 == uninterrupted.samples_sha256
    log = finished.training_log(ours.bench.store, ours.cells[0].fit_key)
    assert [row["step"] for row in log] == list(range(scale.training.num_steps))
    assert not [path for path in (tmp_path / "leases").rglob("*") if path.is_file()]


def _video(store: Store, key: str, shard: str) -> bytes:
    from safetensors.torch import load_file

    return load_file(store.path("samples", key) / shard)["video"].numpy().tobytes()
