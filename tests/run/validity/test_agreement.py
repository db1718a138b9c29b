"""fvd-8-frames from the command line, at a few clips and faults, through the toy I3D."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from rdtf_bench import cli
from rdtf_bench.core.errors import AssetError, StoreError
from rdtf_bench.data import asg
from rdtf_bench.run.inputs import datasets
from rdtf_bench.run.progress import Silent
from rdtf_bench.run.validity import agreement
from rdtf_bench.run.validity import measure as validity_measure
from rdtf_bench.run.validity import plan as validity_plan
from rdtf_bench.spec.load import load_scale, load_validity
from rdtf_bench.spec.schema import ValiditySpec

CLIPS = 6
RULES = ("repeat", "pool1")


@pytest.fixture
def spec(monkeypatch: pytest.MonkeyPatch) -> ValiditySpec:
    """Two rules, two faults of two strengths, six clips."""
    whole = load_validity("fvd-8-frames")
    assert whole.short_clips is not None
    changed = {
        "num_clips": CLIPS,
        "faults": ("noise", "freeze"),
        "strengths": (0.0, 1.0),
        "short_clips": whole.short_clips.model_copy(update={"rules": RULES}),
    }
    small = whole.model_copy(update=changed)
    monkeypatch.setattr(validity_plan, "load_validity", lambda *_: small)
    monkeypatch.setattr(datasets, "MIN_TEST_CLIPS", CLIPS)
    monkeypatch.setattr(asg, "LONG_COUNTS", {"train": 1, "validation": CLIPS, "test": CLIPS})
    return small


@pytest.fixture
def rdtf_bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    def call(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["rdtf-bench", *arguments, "--store", str(tmp_path)])
        with pytest.raises(SystemExit) as e:
            cli.main()
        out, err = capsys.readouterr()
        assert not e.value.code, err
        return out

    return call


@pytest.mark.usefixtures("spec")
def test_the_experiment_from_end_to_end(rdtf_bench: Callable[..., str], tmp_path: Path) -> None:
    assert rdtf_bench("plan", "fvd-8-frames").count("to do") == 3 * 2
    ran = rdtf_bench("run", "fvd-8-frames", "--quiet")
    assert "FVD ↓ (toy-i3d, 16 frames), n = 6" in ran
    assert "FVD ↓ (toy-i3d, 8 pool1), n = 6" in ran
    assert "over 5 values" in ran
    assert "Accepted" in ran
    assert rdtf_bench("show", "fvd-8-frames") == ran
    found = json.loads(rdtf_bench("show", "fvd-8-frames", "--format", "json"))
    assert [row["rule"] for row in found["agreement"]] == list(RULES)
    for row in found["agreement"]:
        assert -1 <= row["tau"] <= 1
        assert row["ci_low"] <= row["tau"] <= row["ci_high"]
        assert set(row["tau_by_fault"]) == {"noise", "freeze"}
    assert len(found["curves"]) == 3 * 2 * 3
    # the rules look at the same clips in ways of their own
    assert len({row["value"] for row in found["curves"] if row["strength"] is None}) == 3
    pictures = tmp_path / "pictures" / "fvd-8-frames-tiny"
    assert (pictures / "fvd-toy-i3d-8-repeat.png").is_file()
    with Image.open(pictures / "agreement.png") as image:
        assert min(image.size) > 200
    assert rdtf_bench("plan", "fvd-8-frames").count("done") == 3 * 2


def test_what_was_not_run_is_not_shown(spec: ValiditySpec, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"repeat, pool1 have not been compared\. Run: rdtf-bench run fvd-8"):
        agreement.read_all(spec, load_scale("tiny"), spec.source, tmp_path)


def test_every_rule_is_measured_on_the_same_clips(spec: ValiditySpec, tmp_path: Path) -> None:
    looks = validity_plan.looks(spec, load_scale("tiny"))
    assert [(look.options["rule"], look.options["num_frames"], look.every) for look in looks] == [
        ("none", 16, 1),
        ("repeat", 8, 2),
        ("pool1", 8, 2),
    ]
    planned = validity_plan.plan(spec, load_scale("tiny"), spec.source, tmp_path)
    assert len({curve.key for curve in planned}) == 6


def test_at_full_size_the_network_is_the_official_one() -> None:
    """Name the asset that the scale asks for; `run` says where to get it before any work."""
    for scale in map(load_scale, ("gpu", "paper")):
        looks = validity_plan.looks(load_validity("fvd-8-frames"), scale)
        assert {look.options["network"] for look in looks} == {"i3d"}
        assert scale.assets["i3d"] == "i3d-k400"


def test_absent_official_weights_are_named_before_any_clip_is_decoded(
    spec: ValiditySpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RDTF_BENCH_ASSETS", str(tmp_path / "assets"))
    monkeypatch.setattr(validity_measure, "decoded", lambda *_, **__: pytest.fail("work before the check"))
    with pytest.raises(AssetError, match=r"i3d-k400: .* is absent; from https://github\.com/songweige"):
        validity_measure.run(
            spec, load_scale("gpu"), source=spec.source, root=tmp_path, skip_broken=False, sink=Silent()
        )
