"""The journal of a fine-tuning: a run from the first step on, samples as GIF files, and a summary."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from rdtf_bench.core.errors import TrackingError
from rdtf_bench.report import tuning
from rdtf_bench.run import finetune
from rdtf_bench.run.finetune import Finished, Settings
from rdtf_bench.run.inputs.clips import RealClips
from rdtf_bench.run.tracking.training_run import TrainingRun

Said = list[tuple[Any, ...]]


class Run(TrainingRun):
    """Notes what was logged instead of logging it, and fails where the server is dead."""

    def __init__(self, said: Said, **facts: Any) -> None:
        self.said, self.changed = said, bool(facts["log"])
        said.append(("begin", facts["name"], facts["log"], [path.name for path in facts["files"]]))

    def metrics(self, step: int, measured: Mapping[str, float]) -> None:
        self.said.append(("metrics", step, measured))
        if measured["loss"] < 0:
            raise TrackingError("http://a: no answer")

    def artifact(self, path: Path) -> None:
        self.said.append(("artifact", path))

    def end(self, *, finished: bool) -> None:
        self.said.append(("end", finished))


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Said:
    found: Said = []
    monkeypatch.setattr(tuning, "TrainingRun", lambda **facts: Run(found, **facts))
    return found


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """A folder as `finetune` has it at its first step."""
    (tmp_path / finetune.SETTINGS).write_text('{"method": "simda"}')
    return tmp_path


@pytest.fixture
def settings() -> Settings:
    return finetune.settings(
        "simda",
        options={},
        base="base",
        data=Path("stickers"),
        size_px=16,
        task="it2v",
        num_frames=2,
        num_steps=30,
        batch_size=4,
        learning_rate=None,
        checkpoint_every=10,
        seed=0,
    )


def test_a_call_that_is_refused_before_the_first_step_leaves_no_run(out: Path, said: Said) -> None:
    with pytest.raises(ValueError, match="refused"), tuning.Journal(out, tracking_uri=None):
        raise ValueError("refused")
    assert said == []


def test_a_tracking_uri_that_cannot_work_is_refused_before_any_work(out: Path) -> None:
    with pytest.raises(TrackingError, match="is a folder of files"):
        tuning.Journal(out, tracking_uri="./mlruns")


def test_steps_go_into_one_run_which_ends_as_finished(out: Path, said: Said) -> None:
    with tuning.Journal(out, tracking_uri=None) as journal:
        for step in range(2):
            journal.step(step, {"loss": 0.5})
    assert said == [
        ("begin", "finetune simda", [], []),
        ("metrics", 0, {"loss": 0.5}),
        ("metrics", 1, {"loss": 0.5}),
        ("end", True),
    ]


def test_a_training_that_fails_ends_its_run_as_killed(out: Path, said: Said) -> None:
    def fails() -> None:
        with tuning.Journal(out, tracking_uri=None) as journal:
            journal.step(0, {"loss": 0.5})
            raise ValueError("fault")

    with pytest.raises(ValueError, match="fault"):
        fails()
    assert said[-1] == ("end", False)


def test_a_server_that_dies_is_told_once_and_not_tried_again(
    out: Path, said: Said, capsys: pytest.CaptureFixture[str]
) -> None:
    with tuning.Journal(out, tracking_uri=None) as journal:
        for loss in (0.5, -1.0, 0.5):
            journal.step(0, {"loss": loss})
    assert [kind for kind, *_ in said] == ["begin", "metrics", "metrics"]
    told = capsys.readouterr().err
    assert told.count("WARNING: logging to MLflow failed: http://a: no answer.") == 1
    assert told.endswith(f"rdtf-bench sync --store {out}\n")


def test_a_folder_is_logged_from_its_files(out: Path, said: Said) -> None:
    (out / finetune.LOG).write_text('{"step": 0, "elapsed_s": 1.5, "loss": 0.5}\n')
    (out / "samples").mkdir()
    for name in ("step-000002.gif", "step-000001.gif"):
        (out / "samples" / name).write_bytes(b"GIF89a")
    assert tuning.is_tuning(out)
    assert tuning.sync(out, "http://a") == 1
    log = [{"step": 0, "loss": 0.5}]
    assert said == [("begin", "finetune simda", log, ["step-000001.gif", "step-000002.gif"]), ("end", False)]
    (out / finetune.ADAPTER).mkdir()
    tuning.sync(out, "http://a")
    assert said[-1] == ("end", True)


def test_samples_stand_beside_the_real_clips_in_a_gif_of_their_step(out: Path, said: Said) -> None:
    video = torch.zeros(1, 2, 3, 16, 16, dtype=torch.uint8)
    real = RealClips(ids=("a",), captions=("a sticker",), video=video + 255)
    with tuning.Journal(out, tracking_uri=None) as journal:
        journal.samples(20, video, real)
    path = out / "samples" / "step-000020.gif"
    assert ("artifact", path) in said
    with Image.open(path) as image:
        assert image.n_frames == 2  # type: ignore[attr-defined]


def test_the_summary_names_the_adapter_its_size_and_its_training(settings: Settings, tmp_path: Path) -> None:
    finished = Finished(
        adapter=tmp_path / "adapter",
        adapter_bytes=3_400_000,
        components={"base": 1_500_000, "trainable": 61_234},
        shown_split="test",
        left_out="",
    )
    assert tuning.summary(settings, finished) == (
        f"{tmp_path / 'adapter'}: 3.4 MB, 61,234 trained parameters on a base of 1,500,000; 30 steps at batch size 4; "
        "samples from conditions of the test split"
    )
    with_left_out = tuning.summary(settings, replace(finished, left_out="2 still images"))
    assert with_left_out.endswith("of the test split; left out of the data: 2 still images")
