import json
from pathlib import Path

import pytest

from rdtf_bench.run.figures import losses
from rdtf_bench.run.protocols import load_scale, load_table
from rdtf_bench.run.table.context import cells_of
from rdtf_bench.spec.load import load_figure
from rdtf_bench.spec.schema import CurriculumCourse, SimulatedLoss


@pytest.fixture
def course() -> CurriculumCourse:
    found = load_figure("figure5").curriculum
    assert found is not None
    return found


def test_simulated_losses_fall_and_are_the_same_every_time() -> None:
    loss = SimulatedLoss(num_steps=300, start=1.0, end=0.3, noise=0.1)
    found = losses.simulated(loss)
    assert found == losses.simulated(loss)
    assert len(found) == 300
    assert sum(found[:50]) > 1.5 * sum(found[-50:])
    assert losses.simulated(loss.model_copy(update={"noise": 0.0}))[0] == 1.0


def test_without_a_training_log_the_losses_are_simulated_and_it_is_said(
    course: CurriculumCourse, tmp_path: Path
) -> None:
    found = losses.of_figure(course, load_scale("tiny"), None, tmp_path)
    assert found.losses == losses.simulated(course.simulated)
    assert found.said.startswith("Losses: simulated (400 steps), because the store holds no training log of table1")
    assert (found.method, found.task) == ("rdtf", "it2v")
    assert found.options["prediction_type"] == "v_prediction"


def test_the_training_log_of_the_row_is_followed(course: CurriculumCourse, tmp_path: Path) -> None:
    scale = load_scale("tiny")
    _, cells = cells_of(load_table("table1"), scale, None, tmp_path)
    folder = tmp_path / "fit" / next(cell.fit_key for cell in cells if cell.label == "RDTF")
    folder.mkdir(parents=True)
    lines = [json.dumps({"step": step, "loss": 1 / (1 + step)}) for step in range(3)]
    (folder / "log.jsonl").write_text("".join(f"{line}\n" for line in lines))
    found = losses.of_figure(course, scale, None, tmp_path)
    assert found.losses == (1.0, 0.5, 1 / 3)
    assert found.said == "Losses: the training log of table1, row RDTF, at scale tiny (3 steps)."
