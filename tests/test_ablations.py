"""An ablation from the command's shorthand to its curves, in miniature: two rows, two seeds, few steps."""

import csv
import json
from pathlib import Path

import pytest
from PIL import Image
from rich.console import Console

from rdtf_bench.report import artifacts
from rdtf_bench.report.table.table import render
from rdtf_bench.run.protocols import ablation, load_tables
from rdtf_bench.run.selftest import record as selftest_record
from rdtf_bench.run.table import execute, schedule
from rdtf_bench.run.table.context import cells_of
from rdtf_bench.run.table.execute import Outcome
from rdtf_bench.spec.load import load_scale
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import Panel, TableSpec

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # MLflow's own
Measured = tuple[TableSpec, Scale, Outcome]


@pytest.fixture(scope="module")
def ablated(tmp_path_factory: pytest.TempPathFactory) -> Measured:
    (whole,) = load_tables(ablation("dcl"), 2)
    rows = tuple(row for row in whole.rows if row.label in ("RDTF", "static part alone (LCL)"))
    panels = (Panel(title="LCL and DCL", rows=("RDTF", "static part alone (LCL)")),)
    spec = whole.model_copy(update={"rows": rows, "controls": (), "metrics": ("vqa",), "panels": panels})
    scale = load_scale("tiny")
    scale = scale.model_copy(
        update={
            "workers": 1,  # one start of torch instead of two
            "clip": scale.clip.model_copy(update={"size_px": 32}),  # decoding 64 px takes most of the time
            "data": scale.data.model_copy(update={"train": 8, "validation": 50, "test": 50, "max_frames": 8}),
            "training": scale.training.model_copy(update={"num_steps": 2, "batch_size": 2}),
            "sampling": scale.sampling.model_copy(update={"num_steps": 1, "batch_size": 50}),
        }
    )
    root = tmp_path_factory.mktemp("runs")
    selftest_record.save(root, scale, {})  # as if the metrics had been probed
    console = Console(quiet=True)
    outcome = execute.run(spec, scale, source=None, root=root, skip_broken=False, console=console, quiet=True)
    artifacts.write(spec, scale, outcome, tracking_uri=None, console=console, quiet=True)
    return spec, scale, outcome


def test_every_row_is_trained_with_every_seed_and_has_a_spread(ablated: Measured) -> None:
    spec, scale, outcome = ablated
    assert len({cell.fit_key for cell in outcome.cells}) == 4
    rows = json.loads(render(spec, scale, outcome.cells, outcome.records, format="json"))
    assert [(row["row"], row["metric"], row["seeds"]) for row in rows] == [
        ("RDTF", "vqa", 2),
        ("static part alone (LCL)", "vqa", 2),
    ]
    assert all(row["seed_sd"] > 0 for row in rows)
    assert "±" in render(spec, scale, outcome.cells, outcome.records, format="text", width=120)


def test_losses_and_curricula_are_drawn_and_written(ablated: Measured) -> None:
    spec, scale, outcome = ablated
    folder = artifacts.pictures_folder(outcome.bench.store.root, spec, scale, outcome.cells)
    with (folder / "loss.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = ["RDTF", "static part alone (LCL)", "RDTF, seed 1", "static part alone (LCL), seed 1"]
    assert [(row["row"], row["step"]) for row in rows] == [(name, step) for name in names for step in "01"]
    assert all(float(row["realised_level"]) > 0 and row["weight_generation"] for row in rows)
    assert all(bool(row["target_level"]) == row["row"].startswith("RDTF") for row in rows)
    for picture in ("loss.png", "curriculum.png", "samples.gif"):
        with Image.open(folder / picture) as image:
            assert image.width > 100, picture


def test_a_further_seed_trains_nothing_twice(ablated: Measured, tmp_path: Path) -> None:
    spec, scale, outcome = ablated
    more = spec.model_copy(update={"seeds": (0, 1, 2)})
    _, cells = cells_of(more, scale, None, tmp_path)
    jobs = schedule.jobs_for(outcome.bench, cells)
    assert [job.name for job in jobs if job.function == "train"] == [
        "train RDTF, seed 2",
        "train static part alone (LCL), seed 2",
    ]
