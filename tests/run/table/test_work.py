"""Jobs that make the clips of control rows and time the denoisers; the others are tested with what they call."""

import weakref
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from rdtf_bench.core.errors import DeviceError, ProtocolError
from rdtf_bench.core.store import Store
from rdtf_bench.metrics import seconds
from rdtf_bench.run.build import modules
from rdtf_bench.run.engines import devices
from rdtf_bench.run.inputs import datasets
from rdtf_bench.run.progress import Event, Silent
from rdtf_bench.run.sizing import refusal
from rdtf_bench.run.sizing.refusal import Device
from rdtf_bench.run.table import context as benches
from rdtf_bench.run.table import sample, timing, work
from rdtf_bench.run.table.context import Bench
from rdtf_bench.run.table.finished import score_of
from rdtf_bench.run.table.sample import read_samples
from rdtf_bench.run.table.timing import Denoisers
from rdtf_bench.spec.load import load_protocol, load_scale
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.scale import Timing
from rdtf_bench.spec.schema import ClipShape


class Heard:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def put(self, event: Event) -> None:
        self.events.append(event)


@pytest.fixture
def controls(stickers: str, tmp_path: Path) -> tuple[Bench, dict[str, Cell]]:
    """Return the control rows of a table that overwrites known frames, with the real clips decoded."""
    spec = load_protocol("table1").model_copy(update={"rows": (), "task": "prediction", "known_frames": "overwrite"})
    scale = load_scale("tiny").model_copy(update={"clip": ClipShape(num_frames=4, size_px=16)})
    store = Store(tmp_path / "store")
    data = datasets.read("asg", stickers, scale.data, 4, store=store.root, skip_broken=False)
    assets = benches.find_assets(scale)
    cells = benches.plan_cells(spec, scale, data.identity, assets)
    bench = benches.make_bench(spec.controls, scale, data, assets, store)
    work.prepare_real(bench, Silent(), "real clips")
    return bench, {cell.label: cell for cell in cells}


def samples(bench: Bench, cell: Cell) -> torch.Tensor:
    return read_samples(bench.store.path("samples", cell.sample_key))


def test_the_clips_of_every_split_in_use_are_decoded(controls: tuple[Bench, dict[str, Cell]]) -> None:
    bench, _ = controls
    assert set(bench.real) == {"test", "train"}  # these stickers have no validation split
    assert len(work.real_clips(bench, "test").ids) == 50
    assert work.real_clips(bench, "train").ids == ("asg/0",)


def test_other_real_clips_are_clips_of_another_split(controls: tuple[Bench, dict[str, Cell]]) -> None:
    bench, cells = controls
    work.make_control(bench, Silent(), "other real clips", cells["other real clips"])
    real = work.real_clips(bench, "test")
    assert torch.equal(samples(bench, cells["other real clips"]), work.real_clips(bench, "train").video)
    assert work._ids_of(bench, cells["other real clips"]) == ("asg/0",)
    assert work._ids_of(bench, cells["static"]) == real.ids


@pytest.mark.parametrize("name", ["static", "autoencoder"])
def test_controls_get_their_known_frames_overwritten_as_methods_do(
    name: str, controls: tuple[Bench, dict[str, Cell]]
) -> None:
    bench, cells = controls
    work.make_control(bench, Silent(), name, cells[name])
    real = work.real_clips(bench, "test")
    known = sample.conditions(real, "prediction", slice(None)).known.bool()
    made = samples(bench, cells[name])
    assert torch.equal(made[known], real.video[known])
    assert not torch.equal(made[~known], real.video[~known])


def test_the_row_of_real_clips_shows_the_test_clips_as_they_are(controls: tuple[Bench, dict[str, Cell]]) -> None:
    bench, cells = controls
    work.make_control(bench, Silent(), "real", cells["real"])
    assert torch.equal(samples(bench, cells["real"]), work.real_clips(bench, "test").video)


def test_a_control_that_the_store_holds_is_not_made_again(
    controls: tuple[Bench, dict[str, Cell]], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, cells = controls
    work.make_control(bench, Silent(), "other real clips", cells["other real clips"])
    monkeypatch.setattr(work, "_control_video", lambda *_: pytest.fail("made again"))
    heard = Heard()
    work.make_control(bench, heard, "other real clips", cells["other real clips"])
    assert heard.events == [Event("other real clips", "making", 1, 1)]


@pytest.mark.parametrize(("memory_bytes", "turns"), [(2**30, [4]), (70, [1, 1, 1, 1]), (100, [2, 2])])
def test_every_denoiser_is_timed_as_often_with_its_own_weights(
    memory_bytes: int, turns: list[int], planned: tuple[Bench, list[Cell]], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, cells = planned
    bench = replace(bench, scale=bench.scale.model_copy(update={"timing": Timing(warmup=0, repeats=3)}))
    timed = [cell for cell in cells if cell.kind == "trained"]
    loaded: list[Path] = []

    def denoiser_inputs(*, batch_size: int, num_frames: int, size_px: int) -> dict[str, torch.Tensor]:
        assert (num_frames, size_px) == (bench.scale.clip.num_frames, bench.scale.clip.size_px)
        return {"input": torch.zeros(batch_size, 2)}

    def build(*_: object) -> SimpleNamespace:
        # in half precision, as the frozen base with `precision: bf16`
        denoiser = partial(nn.Linear, 2, 2, dtype=torch.bfloat16)
        return SimpleNamespace(load=loaded.append, denoiser=denoiser, denoiser_inputs=denoiser_inputs)

    measure, together = seconds.measure, list[int]()
    alive: weakref.WeakSet[nn.Module] = weakref.WeakSet()

    def counted(denoisers: Denoisers, **repeats: int) -> dict[str, list[float]]:
        together.append(len(denoisers))
        alive.update(denoiser for denoiser, _ in denoisers.values())
        assert len(alive) == len(denoisers)  # those of the group before are gone
        return measure(denoisers, **repeats)

    monkeypatch.setattr(modules, "build", build)
    monkeypatch.setattr(seconds, "measure", counted)
    monkeypatch.setattr(timing, "memory_bytes", lambda _: memory_bytes)  # a denoiser has 24
    work.time_denoisers(bench, Silent(), "denoiser seconds", timed)
    assert together == turns
    assert loaded == [bench.store.path("fit", cell.fit_key) / "weights" for cell in timed]
    found = [score_of(bench.store, cell.score_key("seconds")) for cell in timed]
    assert [(score.n, score.unit, score.yardstick) for score in found] == [(3, "s", "1x8x64x64 cpu fp32")] * 4
    assert all(0 < score.ci_low <= score.value <= score.ci_high for score in found)


def test_a_job_checks_the_options_of_each_trained_row(
    planned: tuple[Bench, list[Cell]], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, cells = planned
    seen: list[Sequence[Cell]] = []
    monkeypatch.setattr(modules, "check_options", seen.append)
    work.check(bench, Silent(), "device and options", cells)
    assert seen == [cells]


def test_settings_that_do_not_go_with_sharded_weights_stop_a_run_before_any_work(
    planned: tuple[Bench, list[Cell]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(modules, "check_options", lambda _: None)
    bench, cells = replace(planned[0], shard_weights=True), [cell for cell in planned[1] if cell.kind == "trained"]
    work.check(bench, Silent(), "device and options", cells)
    compiled = cells[0].trained.training.model_copy(update={"compile": True})
    cell = replace(cells[0], fit=cells[0].trained.model_copy(update={"training": compiled}))
    with pytest.raises(ProtocolError, match=r"--shard-weights: training\.compile is true"):
        work.check(bench, Silent(), "device and options", [cell])


def test_a_run_without_its_device_stops_before_any_work(
    planned: tuple[Bench, list[Cell]], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = replace(planned[0], scale=planned[0].scale.model_copy(update={"device": "cuda"}))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(DeviceError, match="sees none here"):
        work.check(bench, Silent(), "device and options", planned[1])


def test_a_gpu_with_too_little_memory_stops_a_run_before_any_work(
    planned: tuple[Bench, list[Cell]], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = replace(planned[0], scale=planned[0].scale.model_copy(update={"device": "cuda"}))
    trained = [cell for cell in planned[1] if cell.kind == "trained"]
    done = bench.store.path("fit", trained[0].fit_key)
    done.mkdir(parents=True)
    asked: list[list[Cell]] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(devices, "require", lambda _each: None)
    monkeypatch.setattr(refusal, "smallest", lambda: Device(name="toy", num_bytes=7))
    monkeypatch.setattr(refusal, "require", lambda cells, *_, **__: asked.append(cells))
    work.check(bench, Silent(), "device and options", planned[1])
    assert asked == [trained[1:]]  # a row whose weights the store holds needs no training
