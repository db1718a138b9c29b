from pathlib import Path

import pytest

from rdtf_bench.run.yardsticks import warning, with_present
from rdtf_bench.spec.load import load_scale

METRICS = ("fvd", "vqa", "clip")


@pytest.fixture
def assets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("RDTF_BENCH_ASSETS", str(tmp_path))
    return tmp_path


@pytest.mark.usefixtures("assets")
def test_without_official_networks_the_scale_stays_and_one_line_says_how_to_get_them() -> None:
    tiny = load_scale("tiny")
    assert with_present(tiny, METRICS) == tiny
    assert warning(tiny, METRICS) == (
        "FVD, VQA, CLIP: these values cannot be compared with published FVD, FAST-VQA or CLIP, which look through "
        "other networks. Get those with `rdtf-bench assets fetch i3d-k400 fast-vqa-b clip-vit-b-32`, or name your "
        "copies with `rdtf-bench assets add NAME PATH`."
    )


def test_an_official_network_that_is_present_is_used_for_its_metric_alone(assets: Path) -> None:
    (assets / "i3d-k400").write_bytes(b"weights")
    tiny = load_scale("tiny")
    found = with_present(tiny, METRICS)
    assert (found.metrics["fvd"]["network"], found.assets["i3d"]) == ("i3d", "i3d-k400")
    assert (found.metrics["vqa"], found.assets["vqa"]) == (tiny.metrics["vqa"], "toy/vqa")
    said = warning(found, METRICS)
    assert said is not None
    assert said.startswith("VQA, CLIP: ")
    assert "fetch fast-vqa-b clip-vit-b-32`" in said


def test_a_folder_that_lacks_a_file_is_not_present(assets: Path) -> None:
    (assets / "clip-vit-b-32").mkdir()
    (assets / "clip-vit-b-32" / "open_clip_config.json").write_text("{}")
    assert with_present(load_scale("tiny"), METRICS).assets["clip"] == "toy/clip"


def test_official_networks_need_no_warning() -> None:
    assert warning(load_scale("paper"), METRICS) is None
