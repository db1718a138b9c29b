"""Tuning on a folder of stickers, with a base in the layout of the release."""

import json
import shutil
import signal
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from diffusers import DDIMScheduler
from PIL import Image
from safetensors.torch import load_file

from rdtf_bench.assets import registry
from rdtf_bench.assets.official import Official
from rdtf_bench.commands.options import method_options
from rdtf_bench.core.errors import (
    AssetError,
    BenchError,
    DataError,
    ProtocolError,
    Stopped,
    StoreError,
    UnknownNameError,
)
from rdtf_bench.run import finetune as tuner
from rdtf_bench.run.finetune import Settings, finetune, methods, settings
from rdtf_bench.run.progress import Silent
from rdtf_bench.run.table.finished import read_log
from tests.baselines.small_base import write_release


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_release(tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="module")
def stickers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A square that moves, in six stickers."""
    folder = tmp_path_factory.mktemp("stickers")
    rows = []
    for number in range(6):
        frames = [Image.new("RGB", (64, 64), "white") for _ in range(8)]
        for place, frame in enumerate(frames):
            frame.paste((40 * number, 90, 200 - 30 * number), (place * 4, number * 8, place * 4 + 16, number * 8 + 16))
        frames[0].save(folder / f"{number}.gif", save_all=True, append_images=frames[1:], duration=100)
        split = "test" if number < 2 else "train"
        rows.append({"file_name": f"{number}.gif", "text": f"square {number}", "split": split})
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder


def small(folder: Path, stickers: Path, method: str = "simda", **changed: Any) -> Settings:
    given: dict[str, Any] = {
        "options": {"text_tokens": 8},
        "base": str(folder),
        "data": stickers,
        "size_px": 64,
        "task": "it2v",
        "num_frames": 8,
        "num_steps": 4,
        "batch_size": 2,
        "learning_rate": None,
        "checkpoint_every": 1,
        "seed": 0,
    }
    return settings(method, **{**given, **changed})


class Killed(Exception):
    pass


def run(
    what: Settings, out: Path, *, killed_at: int | None = None, stopped_at: int | None = None, skip_broken: bool = False
) -> tuple[list[int], list[int]]:
    """The steps that were taken, and after how many steps samples were made."""
    steps: list[int] = []
    shown: list[int] = []

    def on_step(step: int, measured: Mapping[str, float]) -> None:
        assert measured["loss"] > 0
        if step == killed_at:
            raise Killed
        if step == stopped_at:
            signal.raise_signal(signal.SIGTERM)
        steps.append(step)

    finetune(
        what,
        out,
        device="cpu",
        gradient_checkpointing=False,
        skip_broken=skip_broken,
        sample_every=2,
        sink=Silent(),
        on_step=on_step,
        on_samples=lambda done, video, real: shown.append(done) if video.shape == real.video.shape else None,
    )
    return steps, shown


def weights(out: Path) -> dict[str, torch.Tensor]:
    return load_file(out / "adapter" / "adapter.safetensors")


def test_it_trains_shows_samples_and_goes_on_where_it_was_killed(base: Path, stickers: Path, tmp_path: Path) -> None:
    what = small(base, stickers)
    assert run(what, tmp_path / "whole") == ([0, 1, 2, 3], [2, 4])
    with pytest.raises(Killed):
        run(what, tmp_path / "parts", killed_at=2)
    assert run(what, tmp_path / "parts") == ([2, 3], [4])
    log = read_log(tmp_path / "parts" / "log.jsonl")
    assert [(row["step"], row["loss"] > 0) for row in log] == [(step, True) for step in range(4)]
    assert not (tmp_path / "parts" / "checkpoints").exists()  # hundreds of MB at full size
    whole, parts = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert all(torch.equal(weight, parts[name]) for name, weight in whole.items())


def test_a_base_that_was_fetched_is_found_by_its_hub_id(
    base: Path, stickers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = Official(source="", licence="", files={}, hub="owner/base")
    monkeypatch.setattr(tuner, "OFFICIAL", {"whole": part, "whole/vae": replace(part, hub_path="vae")})
    places = {"whole": SimpleNamespace(name="whole", path=base, absent=lambda: [])}
    places["whole/vae"] = SimpleNamespace(name="whole/vae", path=base / "vae", absent=lambda: [])
    monkeypatch.setattr(registry, "find", places.__getitem__)
    _, found = tuner._find_base(small(base, stickers, base="owner/base"))
    assert found == tuner._find_base(small(base, stickers))[1]
    places["whole/vae"].absent = lambda: ["vae/config.json"]
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert tuner._fetched("owner/base") is None


def test_a_training_that_is_asked_to_stop_continues_after_its_last_step(
    base: Path, stickers: Path, tmp_path: Path
) -> None:
    what = small(base, stickers, checkpoint_every=100)
    with pytest.raises(Stopped):
        run(what, tmp_path, stopped_at=1)
    assert run(what, tmp_path)[0] == [2, 3]


def test_another_training_in_the_same_folder_is_refused(base: Path, stickers: Path, tmp_path: Path) -> None:
    run(small(base, stickers, num_steps=1), tmp_path)
    with pytest.raises(StoreError, match=r"another training: training\.task was 'it2v', is 'interpolation'\. Give"):
        run(small(base, stickers, num_steps=1, task="interpolation"), tmp_path)


def test_other_data_or_another_base_under_the_same_names_is_refused(base: Path, stickers: Path, tmp_path: Path) -> None:
    data, copied = Path(shutil.copytree(stickers, tmp_path / "data")), Path(shutil.copytree(base, tmp_path / "base"))
    what = small(copied, data, num_steps=1)
    run(what, tmp_path / "out")
    rows = (data / "metadata.jsonl").read_text()
    (data / "metadata.jsonl").write_text(rows.replace("square 5", "a square"))
    with pytest.raises(StoreError, match=r"holds another training: data_fingerprint was"):
        run(what, tmp_path / "out")
    (data / "metadata.jsonl").write_text(rows)
    DDIMScheduler(prediction_type="v_prediction").save_pretrained(copied / "scheduler")
    with pytest.raises(StoreError, match=r"holds another training: base_fingerprint was"):
        run(what, tmp_path / "out")


def test_an_adapter_of_another_method_is_refused(base: Path, stickers: Path, tmp_path: Path) -> None:
    run(small(base, stickers, num_steps=1), tmp_path / "one")
    shutil.copytree(tmp_path / "one" / "adapter", tmp_path / "other" / "adapter")
    with pytest.raises(
        AssetError, match="the adapter was trained for another setting: method is 'simda', but 'i2v_adapter' is needed"
    ):
        run(small(base, stickers, method="i2v_adapter", num_steps=1), tmp_path / "other")


def test_a_folder_without_a_test_split_shows_what_it_trains_on(base: Path, stickers: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(stickers, tmp_path / "data"))
    rows = (data / "metadata.jsonl").read_text()
    (data / "metadata.jsonl").write_text(rows.replace('"split": "test"', '"split": "train"'))
    assert run(small(base, data, num_steps=1), tmp_path / "out") == ([0], [1])
    (data / "metadata.jsonl").write_text(rows.replace('"split": "train"', '"split": "test"'))
    with pytest.raises(DataError, match="the train split has no animation"):
        run(small(base, data, num_steps=1), tmp_path / "none")


def test_a_broken_file_stops_it_or_is_left_out(base: Path, stickers: Path, tmp_path: Path) -> None:
    data = Path(shutil.copytree(stickers, tmp_path / "data"))
    (data / "5.gif").write_bytes(b"GIF89a")
    what = small(base, data, num_steps=1)
    with pytest.raises(DataError, match="--skip-broken"):
        run(what, tmp_path / "out")
    assert run(what, tmp_path / "out", skip_broken=True)[0] == [0]


def test_the_learning_rate_is_the_methods_own(base: Path, stickers: Path) -> None:
    rates = {name: small(base, stickers, method=name).training.learning_rate for name in methods()}
    assert rates == {"i2v_adapter": 1e-4, "simda": 5e-5, "customize_a_video": 5e-4}


@pytest.mark.parametrize(
    ("changed", "error", "said"),
    [
        ({"base": "/nowhere/at all"}, AssetError, "there is no such folder"),
        ({"options": {"rank": 4}}, ProtocolError, r"simda has no option rank"),
        ({"options": {"spatial_ratio": 0.0}}, ProtocolError, "temporal_ratio and spatial_ratio must be above 0"),
        ({"options": {"text_tokens": 78}}, ProtocolError, "text_tokens: 78 is more than the 77"),
        ({"options": {"variant": "released"}}, ProtocolError, "the faithful methods alone are tuned"),
        ({"num_frames": 9}, DataError, "no animation of at least 9 frames to make samples of"),
    ],
)
def test_what_cannot_be_is_said_before_any_step(
    base: Path, stickers: Path, tmp_path: Path, changed: dict[str, Any], error: type[BenchError], said: str
) -> None:
    with pytest.raises(error, match=said):
        run(small(base, stickers, **changed), tmp_path)
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.parametrize(
    ("changed", "error", "said"),
    [
        ({"method": "rdtf"}, UnknownNameError, "Known: customize_a_video, i2v_adapter, simda"),
        (
            {"task": "t2v"},
            UnknownNameError,
            "no task that gives a frame 't2v'.* Known: i2v, interpolation, it2v, prediction",
        ),
        ({"task": "predict"}, UnknownNameError, "Did you mean 'prediction'"),
        ({"size_px": 100}, ProtocolError, "size: 100 px is not a multiple of 8"),
    ],
)
def test_what_nothing_can_be_tuned_for_is_refused(
    base: Path, stickers: Path, changed: dict[str, Any], error: type[BenchError], said: str
) -> None:
    with pytest.raises(error, match=said):
        small(base, stickers, **changed)


def test_options_are_read_as_yaml() -> None:
    assert method_options(["a=1", "b=x", "c=true"]) == {"a": 1, "b": "x", "c": True}
    with pytest.raises(ProtocolError, match="NAME=VALUE"):
        method_options(["a"])


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # MLflow's own
def test_a_server_that_dies_costs_the_log_until_the_next_call(
    base: Path, stickers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient
    from typer.testing import CliRunner

    from rdtf_bench.cli import app

    whole = MlflowClient.log_batch

    def log_batch(client: MlflowClient, run_id: str, **logged: Any) -> None:
        if {point.step for point in logged.get("metrics", [])} == {2}:
            raise OSError("the server died")
        whole(client, run_id, **logged)

    monkeypatch.setattr(MlflowClient, "log_batch", log_batch)
    arguments = ["finetune", "customize_a_video", "--data", str(stickers), "--base", str(base), "--out", str(tmp_path)]
    arguments += ["--size", "64", "--num-steps", "5", "--batch-size", "2", "--option", "text_tokens=8", "--quiet"]
    for told in (1, 0):  # the second has nothing left to train, and goes on in the same MLflow run
        answer = CliRunner().invoke(app, arguments, catch_exceptions=False)
        assert answer.exit_code == 0, answer.output
        assert answer.stderr.count("logging to MLflow failed") == told
        assert "trained parameters on a base of" in answer.output
        assert "samples from" in answer.output
    answer = CliRunner().invoke(app, ["sync", "--store", str(tmp_path)], catch_exceptions=False)
    assert answer.output.startswith("everything is logged already")
    assert (tmp_path / "adapter" / "motion" / "adapter_model.safetensors").is_file()
    with Image.open(tmp_path / "samples" / "step-000005.gif") as shown:
        assert getattr(shown, "n_frames", 1) == 8
    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}")
    (logged,) = client.search_runs([experiment.experiment_id for experiment in client.search_experiments()])
    assert logged.info.status == "FINISHED"
    assert logged.data.params["training.num_steps"] == "5"
    assert {0, 1, 2, 3, 4} == {point.step for point in client.get_metric_history(logged.info.run_id, "train/loss")}
    assert [file.path for file in client.list_artifacts(logged.info.run_id)] == ["step-000005.gif"]
