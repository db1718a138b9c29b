"""Which curves a validity protocol asks for, and what decides their keys."""

from pathlib import Path

import pytest

from rdtf_bench.core.errors import ProtocolError, StoreError
from rdtf_bench.core.store import Store
from rdtf_bench.run.validity import plan as validity_plan
from rdtf_bench.run.validity.plan import CurveRecord
from rdtf_bench.spec.load import load_scale, load_validity
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import ClipShape, ValiditySpec


class LaterClip(ClipShape):
    """ClipShape after somebody has added a field to it."""

    fps: int = 8


@pytest.fixture
def spec() -> ValiditySpec:
    return load_validity("metric-validity")


@pytest.fixture
def tiny() -> Scale:
    return load_scale("tiny")


def keys(spec: ValiditySpec, scale: Scale, root: Path) -> list[str]:
    return [curve.key for curve in validity_plan.plan(spec, scale, None, root)]


def test_each_network_that_is_named_is_a_look_of_its_own(spec: ValiditySpec, tiny: Scale) -> None:
    asked = spec.model_copy(update={"metrics": ("fvd", "vqa"), "networks": {"fvd": ("enet_lite0", "i3d")}})
    looks = validity_plan.looks(asked, tiny)
    assert [look.name for look in looks] == ["fvd enet_lite0", "fvd i3d", "vqa"]
    assert looks[1].options == {**tiny.metrics["fvd"], "network": "i3d"}
    assert looks[2].options == tiny.metrics["vqa"]


def test_rules_for_short_clips_follow_the_full_clips(tiny: Scale) -> None:
    spec = load_validity("fvd-8-frames")
    assert spec.short_clips is not None
    whole, *parts = validity_plan.looks(spec, tiny)
    assert (whole.every, whole.options["num_frames"]) == (1, spec.short_clips.num_frames)
    assert [look.options["rule"] for look in parts] == list(spec.short_clips.rules)
    step = spec.short_clips.num_frames // spec.short_clips.shown
    assert {(look.every, look.options["num_frames"]) for look in parts} == {(step, spec.short_clips.shown)}
    assert validity_plan.shape(spec, tiny).num_frames == spec.short_clips.num_frames


def test_a_key_knows_metric_fault_strengths_and_clips(spec: ValiditySpec, tiny: Scale, tmp_path: Path) -> None:
    planned = keys(spec, tiny, tmp_path)
    assert len(set(planned)) == len(validity_plan.looks(spec, tiny)) * len(spec.faults)
    assert keys(spec.model_copy(update={"title": "another"}), tiny, tmp_path) == planned
    smaller = tiny.model_copy(update={"clip": tiny.clip.model_copy(update={"size_px": 32})})
    for other in (
        keys(spec.model_copy(update={"strengths": (*spec.strengths[:-1], 0.99)}), tiny, tmp_path),
        keys(spec.model_copy(update={"num_clips": spec.num_clips - 1}), tiny, tmp_path),
        keys(spec, smaller, tmp_path),
    ):
        assert not set(other) & set(planned)


def test_a_field_added_to_the_clip_moves_no_key_at_its_default(spec: ValiditySpec, tiny: Scale, tmp_path: Path) -> None:
    planned, fields = keys(spec, tiny, tmp_path), tiny.clip.model_dump()
    same, other = (tiny.model_copy(update={"clip": LaterClip(**fields, fps=fps)}) for fps in (8, 12))
    assert keys(spec, same, tmp_path) == planned
    assert not set(keys(spec, other, tmp_path)) & set(planned)


def test_missing_assets_are_named(spec: ValiditySpec, tiny: Scale, tmp_path: Path) -> None:
    without = tiny.model_copy(update={"assets": {r: a for r, a in tiny.assets.items() if r != "vqa"}})
    with pytest.raises(ProtocolError, match="scale tiny: assets has no 'vqa', which is needed for vqa"):
        validity_plan.plan(spec, without, None, tmp_path)


def test_unknown_datasets_and_metrics_are_named_with_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("extends: metric-validity\nname: mine\ndataset: ags\nmetrics: [fvdd]\nnetworks: {}\n")
    with pytest.raises(ProtocolError) as e:
        validity_plan.load(str(path))
    assert "mine.yaml:3: dataset: there is no dataset 'ags'. Did you mean 'asg'?" in str(e.value)
    assert "mine.yaml:4: metrics.0: there is no metric 'fvdd'. Did you mean 'fvd'?" in str(e.value)


def test_a_curve_reads_back_and_those_that_are_missing_are_counted(
    spec: ValiditySpec, tiny: Scale, tmp_path: Path
) -> None:
    planned = validity_plan.plan(spec, tiny, None, tmp_path)
    record = CurveRecord(
        metric="vqa",
        label="VQA",
        yardstick="toy",
        higher_is_better=True,
        fault="blur",
        strengths=(0.5, 1.0),
        values=(3.0, 2.0, 1.0),
        rank_correlation=1.0,
        is_seen=True,
        n=50,
        without_group=((3.0, 3.1), (2.0, 2.1), (1.0, 1.1)),
    )
    store = Store(tmp_path)
    store.make(validity_plan.KIND, planned[0].key, lambda folder: validity_plan.write(record, folder))
    assert validity_plan.read(store, planned[0].key) == record
    missing = f"{len(planned) - 1} of {len(planned)} curves of metric-validity have not been measured at scale tiny"
    with pytest.raises(StoreError, match=missing):
        validity_plan.read_all(spec, tiny, None, tmp_path)
