"""Curves over the severity of faults; the metrics are stand-ins whose answers are known."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from rdtf_bench import cli
from rdtf_bench.core.errors import DataError, StoreError
from rdtf_bench.core.metric import Score
from rdtf_bench.core.seeds import generator_for
from rdtf_bench.core.video import VideoU8
from rdtf_bench.run.build import instruments
from rdtf_bench.run.build.instruments import Instrument
from rdtf_bench.run.progress import Silent
from rdtf_bench.run.validity import measure as validity_measure
from rdtf_bench.run.validity import plan as validity_plan
from rdtf_bench.run.validity.plan import CurveRecord
from rdtf_bench.spec.identities import MetricIdentity
from rdtf_bench.spec.load import load_scale, load_validity
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import ClipShape, ValiditySpec


class Roughness:
    """How much neighbouring pixels differ, which noise raises and blur lowers; blind, it says 1 of everything."""

    yardstick = "roughness"

    def __init__(self, *, blind: bool) -> None:
        self.blind = blind

    def observe(self, video: VideoU8, clip_ids: Sequence[str]) -> Float[Tensor, "B 1"]:
        del clip_ids
        rough = video.double().diff(dim=-1).abs().mean((1, 2, 3, 4))[:, None]
        return torch.ones_like(rough) if self.blind else rough

    def score(
        self,
        *,
        fake: Float[Tensor, "N 1"],
        real: Float[Tensor, "N 1"],
        captions: Sequence[str],
        groups: Sequence[int],
    ) -> Score:
        del real, captions, groups
        return Score(value=float(fake.mean()), n=len(fake), without_group=())


@pytest.fixture
def spec() -> ValiditySpec:
    changed = {"metrics": ("fvd", "vqa"), "networks": {}, "faults": ("noise", "blur"), "strengths": (0.0, 1.0)}
    return load_validity("metric-validity").model_copy(update={**changed, "num_clips": 50})


@pytest.fixture
def scale() -> Scale:
    return load_scale("tiny").model_copy(update={"clip": ClipShape(num_frames=4, size_px=16)})


@pytest.fixture
def stickers(tmp_path: Path) -> str:
    """50 test and 50 training clips of smooth colours."""
    root = tmp_path / "stickers"
    root.mkdir()
    rows = [{"file_name": f"{i}.png", "text": f"text {i}", "split": "test" if i % 2 else "train"} for i in range(100)]
    for i, row in enumerate(rows):
        shades = torch.randint(60, 190, (4, 1, 1, 3), generator=generator_for("shade", i)).expand(4, 16, 16, 3)
        first, *others = [Image.fromarray(frame.byte().numpy()) for frame in shades]
        first.save(root / row["file_name"], save_all=True, append_images=others, duration=100)
    (root / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(root)


NO_METRIC = MetricIdentity(metric="none", version=1, options={}, assets={})


@pytest.fixture
def stand_ins(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[str]]:
    """FVD (lower is better) sees roughness, VQA nothing; what was loaded, a metric at a time."""
    loaded: list[Sequence[str]] = []

    def load(_: Scale, names: Sequence[str]) -> dict[str, Instrument]:
        loaded.append(names)
        return {name: Instrument(identity=NO_METRIC, metric=Roughness(blind=name == "vqa")) for name in names}

    monkeypatch.setattr(instruments, "load", load)
    return loaded


def measured(spec: ValiditySpec, scale: Scale, stickers: str, root: Path) -> list[CurveRecord]:
    return validity_measure.run(spec, scale, source=stickers, root=root, skip_broken=False, sink=Silent())


def test_each_metric_has_a_curve_over_each_fault(
    spec: ValiditySpec, scale: Scale, stickers: str, tmp_path: Path, stand_ins: list[Sequence[str]]
) -> None:
    found = measured(spec, scale, stickers, tmp_path / "store")
    assert [(curve.metric, curve.fault) for curve in found] == [
        (metric, fault) for metric in ("fvd", "vqa") for fault in ("noise", "blur")
    ]
    noise, _, blind, _ = found
    assert noise.is_seen
    assert noise.rank_correlation == pytest.approx(1)
    assert noise.values[0] < noise.values[1] < noise.values[2]
    assert not blind.is_seen
    assert {curve.n for curve in found} == {50}
    assert stand_ins == [["fvd"], ["vqa"]]


def test_what_the_store_holds_is_not_measured_again(
    spec: ValiditySpec, scale: Scale, stickers: str, tmp_path: Path, stand_ins: list[Sequence[str]]
) -> None:
    first = measured(spec, scale, stickers, tmp_path / "store")
    assert measured(spec, scale, stickers, tmp_path / "store") == first
    assert validity_plan.read_all(spec, scale, stickers, tmp_path / "store") == first
    assert len(stand_ins) == 2
    more = spec.model_copy(update={"faults": ("noise", "blur", "colour")})
    with pytest.raises(StoreError, match="2 of 6 curves of metric-validity have not been measured"):
        validity_plan.read_all(more, scale, stickers, tmp_path / "store")
    assert len(measured(more, scale, stickers, tmp_path / "store")) == 6


def test_too_few_other_clips_are_refused(
    spec: ValiditySpec, scale: Scale, stickers: str, tmp_path: Path, stand_ins: list[Sequence[str]]
) -> None:
    for number in range(0, 100, 2):
        if number > 10:
            (Path(stickers) / f"{number}.png").unlink()
    rows = (Path(stickers) / "metadata.jsonl").read_text().splitlines()
    kept = [row for row in rows if (Path(stickers) / json.loads(row)["file_name"]).exists()]
    (Path(stickers) / "metadata.jsonl").write_text("\n".join(kept))
    with pytest.raises(
        DataError, match="stickers: the train split has 6 clips of 4 frames or more, and at least 50 are"
    ):
        measured(spec, scale, stickers, tmp_path / "store")
    assert stand_ins == []


def test_every_curve_has_a_key_of_what_decides_it(
    spec: ValiditySpec, scale: Scale, stickers: str, tmp_path: Path
) -> None:
    def keys(spec: ValiditySpec, scale: Scale) -> list[str]:
        return [curve.key for curve in validity_plan.plan(spec, scale, stickers, tmp_path)]

    before = keys(spec, scale)
    assert len(set(before)) == 4
    other_metric = scale.model_copy(update={"metrics": {**scale.metrics, "vqa": {"grid": 3, "num_frames": 8}}})
    after = keys(spec, other_metric)
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, True, False, False]
    assert not set(keys(spec.model_copy(update={"strengths": (0.5,)}), scale)) & set(before)


def test_the_protocol_is_run_shown_and_planned_by_its_name(
    stickers: str,
    tmp_path: Path,
    stand_ins: list[Sequence[str]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    data = ("--data", f"asg={stickers}", "--store", str(tmp_path / "store"))
    scale = load_scale("tiny").model_copy(update={"clip": ClipShape(num_frames=4, size_px=16)})
    monkeypatch.setattr("rdtf_bench.spec.load.load_scale", lambda *_: scale)

    def rdtf_bench(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["rdtf-bench", *arguments, *data])
        with pytest.raises(SystemExit) as e:
            cli.main()
        out, err = capsys.readouterr()
        return f"{e.value.code or 0}: {out}{err}"

    assert "6: " in rdtf_bench("show", "metric-validity")[:3]
    assert rdtf_bench("plan", "metric-validity").count("to do") == 4 * 9  # FVD through two networks
    ran = rdtf_bench("run", "metric-validity", "--quiet")
    assert "blur" in ran
    assert "out of order" in ran
    assert len(stand_ins) == 4
    assert rdtf_bench("show", "metric-validity").removesuffix("\n") in ran
    assert (tmp_path / "store" / "pictures" / "metric-validity-tiny" / "vqa.png").is_file()
