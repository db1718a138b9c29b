import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image, ImageDraw

from rdtf_bench.run.table import prepare as preparing
from rdtf_bench.spec.scale import Scale
from tests.command_line import rdtf_bench


def write_clip(path: Path, x: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = [Image.new("RGB", (24, 24), (255, 255, 255)) for _ in range(3)]
    for number, frame in enumerate(frames):
        ImageDraw.Draw(frame).rectangle((x, 2, x + 6, 8 + 4 * number), fill=(160, 10 * x, 0))
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    write_clip(root / "train" / "red star.gif", 1)
    write_clip(root / "test" / "blue square.gif", 9)
    return root


def test_inspect_prints_a_sound_folder(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store = ["--store", str(tmp_path / "store"), "--quiet"]
    status, printed = rdtf_bench(monkeypatch, capsys, "data", "inspect", f"asg={data}", *store)
    assert status == 0
    assert printed.startswith(f"asg: {data}\n")
    assert re.search(r"^all +2 +2 ", printed, re.MULTILINE)
    assert "Sound: no file is broken, and nothing leaks between splits." in printed


def test_inspect_prints_faults_and_leaks_and_then_fails(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "test" / "copy.gif").write_bytes((data / "train" / "red star.gif").read_bytes())
    (data / "test" / "cut.gif").write_bytes((data / "train" / "red star.gif").read_bytes()[:-30])
    store = ["--store", str(tmp_path / "store"), "--quiet"]
    status, printed = rdtf_bench(monkeypatch, capsys, "data", "inspect", f"asg={data}", *store)
    assert status == 4
    assert "1 broken file: " in printed
    assert f"  {data}/test/cut.gif: " in printed
    assert "Leak between splits, same bytes: 1 group of files of the same bytes" in printed
    assert "  asg/test/copy (test) and asg/train/red star (train)\n" in printed
    assert "Not sound: 1 broken file, 1 leak between splits.\n" in printed
    assert f"rdtf-bench: {data}: holds 1 broken file and leaks between splits (same bytes: 1)" in printed


def test_a_broken_folder_is_inspected_to_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "data"
    root.mkdir()
    (root / "empty.gif").touch()
    store = ["--store", str(tmp_path / "store"), "--quiet"]
    status, printed = rdtf_bench(monkeypatch, capsys, "data", "inspect", f"asg={root}", *store)
    assert status == 4
    assert "1 broken file: is empty\n" in printed
    assert "Not sound: 1 broken file, 0 leaks between splits.\n" in printed


def test_prepare_says_first_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    training = SimpleNamespace(num_clips=2_500, num_shards=3)
    bench = SimpleNamespace(training=training, store=SimpleNamespace(root=tmp_path))
    found = SimpleNamespace(bench=bench, jobs=("one", "another"), num_bytes=12_345_678)
    asked: list[object] = []

    def preparation(name: str, source: str, scale: Scale, root: Path, *, skip_broken: bool) -> object:
        asked.extend((name, source, scale.name, root, skip_broken))
        return found

    monkeypatch.setattr(preparing, "preparation", preparation)
    monkeypatch.setattr(preparing, "prepare", lambda given, *_, **__: asked.append(given))
    arguments = ["data", "prepare", "asg=mine", "--store", str(tmp_path), "--scale", "gpu", "--skip-broken"]
    status, printed = rdtf_bench(monkeypatch, capsys, *arguments)
    assert status == 0
    assert printed.splitlines() == [
        f"2,500 training clips at scale gpu: 2 of 3 shards to prepare, at most 12.3 MB in {tmp_path}",
        "all 3 shards are prepared",
    ]
    assert asked == ["asg", "mine", "gpu", tmp_path, True, found]
