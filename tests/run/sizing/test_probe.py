"""A few real training steps on random clips."""

import time
from dataclasses import replace
from typing import Any

import pytest
import torch

from rdtf_bench.core.errors import DeviceError
from rdtf_bench.core.method import Training, TrainingClips
from rdtf_bench.run.sizing import probe as probing
from rdtf_bench.run.sizing.plan import probed
from rdtf_bench.run.table.context import find_assets, plan_cells
from rdtf_bench.spec.load import load_protocol, load_scale
from rdtf_bench.spec.plan import Cell
from tests.plans import DATA

CI = load_scale("ci")


def cell_of(method: str) -> Cell:
    cells = plan_cells(load_protocol("ci"), CI, DATA, find_assets(CI))
    return next(cell for cell in cells if cell.method == method)


@pytest.mark.parametrize("method", ["rdtf", "customize_a_video"])
def test_a_row_is_trained_for_a_few_steps_and_timed(method: str) -> None:
    ((found, expected_s),) = probed([cell_of(method)], CI).values()
    assert 0.001 < found.seconds < 60
    assert found.peak_bytes is None  # a CPU counts none
    assert expected_s == CI.methods[method].seconds_per_step


def test_the_median_leaves_out_the_first_step(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([100.0, 102.0, 103.0, 110.0])  # seconds at the ends of the steps
    seen: list[Training] = []

    class Method:
        def fit(self, clips: TrainingClips, training: Training, **kwargs: Any) -> None:
            assert len(clips.ids) == training.num_steps * training.batch_size
            seen.append(training)
            for step in range(training.num_steps):
                kwargs["on_step"](step, {})

    monkeypatch.setattr(probing, "build", lambda *_: Method())
    monkeypatch.setattr(time, "perf_counter", lambda: next(ticks))
    fit = cell_of("rdtf").trained
    assert probing.probe(fit, CI, find_assets(CI)).seconds == 2.0
    assert seen == [replace(Training(**fit.training.model_dump()), num_steps=4)]


def test_without_the_device_of_the_scale_nothing_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="sees none here"):
        probing.probe(cell_of("rdtf").trained, CI.model_copy(update={"device": "cuda"}), find_assets(CI))
