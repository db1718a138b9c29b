"""Two folders of clips, through the real networks of the tiny scale."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from rdtf_bench.core.seeds import generator_for
from rdtf_bench.data.reading.decode import decode_animation
from rdtf_bench.data.reading.folders.animations import common_shape, read
from rdtf_bench.metrics.features import efficientnet
from rdtf_bench.metrics.features.clip_networks import EfficientNetClips
from rdtf_bench.metrics.frechet import frechet_distance
from rdtf_bench.report.table.grid import decimals_for
from tests.command_line import rdtf_bench

Score = Callable[..., tuple[int, str]]


def write_clips(
    root: Path, count: int, *, seed: str, num_frames: int = 4, size: int = 24, suffix: str = ".png"
) -> None:
    """Noise that moves; APNG keeps every pixel."""
    root.mkdir(parents=True)
    for number in range(count):
        noise = torch.randint(0, 256, (num_frames, size, size, 3), generator=generator_for(seed, number))
        images = [Image.fromarray(frame.byte().numpy()) for frame in noise]
        images[0].save(root / f"clip{number}{suffix}", save_all=True, append_images=images[1:], duration=100)


@pytest.fixture
def score(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Score:
    """`rdtf-bench score --real real --fake fake ...` in a folder that holds both; its status and what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*options: str) -> tuple[int, str]:
        return rdtf_bench(monkeypatch, capsys, "score", "--real", "real", "--fake", "fake", *options)

    return run


@pytest.fixture
def two_folders(tmp_path: Path) -> Path:
    write_clips(tmp_path / "real", 6, seed="real")
    write_clips(tmp_path / "fake", 6, seed="fake")
    rows = [{"file_name": f"clip{number}.png", "text": f"caption {number}"} for number in range(6)]
    (tmp_path / "captions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def test_every_metric_has_its_interval_n_and_yardstick(two_folders: Path, score: Score) -> None:
    status, printed = score("--captions", "captions.jsonl", "--json", "scores.json")
    rows = json.loads((two_folders / "scores.json").read_text())
    assert status == 0
    assert [(row["metric"], row["yardstick"], row["n"]) for row in rows] == [
        ("fvd", "enet-lite0 64px", 6),
        ("vqa", "toy-fast-vqa 8f 2x2", 6),
        ("clip", "toy-clip", 6),
    ]
    assert all(row["ci_low"] < row["value"] < row["ci_high"] for row in rows)
    for row in rows:
        places = decimals_for(row["value"])
        assert f" {row['value']:.{places}f} " in printed
        assert f"[{row['ci_low']:.{places}f}, {row['ci_high']:.{places}f}]" in printed
    assert rows[0]["name"] == "fvd[enet-lite0, 4 frames, 64 bilinear antialias, ddof 1, n 6]"
    assert rows[0]["name"] in printed
    assert set(rows[0]["beside"]) == {"kernel_distance"}
    assert f"kernel_distance {rows[0]['beside']['kernel_distance']:.4g}" in printed
    assert set(rows[1]["beside"]) == {"raw"}
    assert set(rows[2]["beside"]) == {"clipsim", "mrr", "r@1", "r@5", "r@10", "chance"}
    assert "6 clips" in printed
    assert "4 frames of 24x24 px" in printed
    network = EfficientNetClips(efficientnet.load(), size_px=64)
    sides = []
    for name in ("fake", "real"):
        clips = read(two_folders / name).clips
        shape = common_shape(clips, num_frames=None, size_px=None)
        sides.append(network(torch.stack([decode_animation(clip, shape) for clip in clips])))
    # the same features by another batch composition
    assert rows[0]["value"] == pytest.approx(frechet_distance(fake=sides[0], real=sides[1]), rel=1e-5)


def test_a_bootstrap_is_beside_the_interval_on_request(two_folders: Path, score: Score) -> None:
    assert score("--metrics", "fvd", "--resamples", "40", "--json", "scores.json")[0] == 0
    (row,) = json.loads((two_folders / "scores.json").read_text())
    # in proportion: both are the spread of the same distance
    jackknife = (row["ci_high"] - row["value"]) / 1.96
    assert 0.3 * jackknife < row["beside"]["bootstrap_deviation"] < 3 * jackknife
    status, said = score("--metrics", "vqa", "--resamples", "40")
    assert status == 2
    assert "only vqa is scored. Leave it out." in said


def test_a_folder_against_itself_is_at_distance_0(two_folders: Path, score: Score) -> None:
    status, _ = score("--fake", str(two_folders / "real"), "--metrics", "fvd", "--json", "scores.json")
    (row,) = json.loads((two_folders / "scores.json").read_text())
    assert status == 0
    assert row["value"] == pytest.approx(0, abs=1e-6)


def test_of_more_real_clips_those_with_the_same_ids_are_taken(tmp_path: Path, score: Score) -> None:
    write_clips(tmp_path / "real", 8, seed="real")
    write_clips(tmp_path / "fake", 3, seed="real")  # the same pixels under the same names
    status, printed = score("--metrics", "fvd", "--json", "scores.json")
    (row,) = json.loads((tmp_path / "scores.json").read_text())
    assert (status, row["n"]) == (0, 3)
    assert row["value"] == pytest.approx(0, abs=1e-6)
    assert "FVD: 3 of the 8 real clips" in printed


def test_clips_of_one_name_are_pairs_though_others_are_not(tmp_path: Path, score: Score) -> None:
    """The fake clip that has no partner must not shift the pairs of the others: their pixels are equal."""
    write_clips(tmp_path / "real", 6, seed="same")
    write_clips(tmp_path / "fake", 6, seed="same")
    (tmp_path / "real" / "clip0.png").rename(tmp_path / "real" / "stranger.png")
    status, printed = score("--metrics", "fvd", "--json", "scores.json")
    (row,) = json.loads((tmp_path / "scores.json").read_text())
    assert status == 0
    assert "FVD: of the generated clips 5 have a real one of the same name to be paired with." in printed
    # the sets are equal, and so are they without any pair; mispaired, what is left out of both sides differs
    assert (row["value"], row["ci_high"]) == pytest.approx((0, 0), abs=1e-6)


def test_by_time_an_animation_is_the_same_whatever_its_number_of_frames(tmp_path: Path, score: Score) -> None:
    """Frames that are shown for 300, 100 and 200 ms, and the same as six frames of 100 ms."""
    for side in ("real", "fake"):
        (tmp_path / side).mkdir()
    for number in range(4):
        noise = torch.randint(0, 256, (3, 24, 24, 3), generator=generator_for("by time", number)).byte().numpy()
        first, second, third = (Image.fromarray(frame) for frame in noise)
        path = f"clip{number}.png"
        first.save(tmp_path / "fake" / path, save_all=True, append_images=[second, third], duration=[300, 100, 200])
        # Pillow joins equal frames, so they are files of their own
        folder = tmp_path / "real" / f"clip{number}"
        folder.mkdir()
        for place, image in enumerate((first, first, first, second, third, third)):
            image.save(folder / f"{place}.png")
    status, printed = score("--metrics", "fvd", "--num-frames", "3")
    assert status == 0
    assert "Frames are chosen by number, and 4 of 8 clips show theirs for different times" in printed
    assert "--by time" in printed
    status, printed = score("--metrics", "fvd", "--by", "time", "--num-frames", "6", "--json", "scores.json")
    (row,) = json.loads((tmp_path / "scores.json").read_text())
    assert (status, row["frames_by"]) == (0, "time")
    assert row["value"] == pytest.approx(0, abs=1e-6)
    assert "different times" not in printed


def test_clips_that_cannot_be_used_stop_unless_they_are_left_out(
    tmp_path: Path, score: Score, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_clips(tmp_path / "real", 4, seed="same")
    write_clips(tmp_path / "fake", 4, seed="same")
    (tmp_path / "fake" / "sub").mkdir()
    (tmp_path / "fake" / "sub" / "cut.gif").write_bytes(b"GIF89a")
    (tmp_path / "fake" / "gone").symlink_to("nowhere")
    for name in ("one.avif", "two.avif", "three.mpg"):
        (tmp_path / "real" / name).touch()
    with monkeypatch.context() as patch:
        patch.setattr("rdtf_bench.run.build.instruments.build_metric", lambda *_: pytest.fail("a network was loaded"))
        status, printed = score("--metrics", "fvd")
    assert status == 4
    assert "clips that cannot be used: 2" in printed
    assert "leave them out with --skip-broken" in printed
    status, printed = score("--metrics", "fvd", "--skip-broken", "--json", "scores.json")
    (row,) = json.loads((tmp_path / "scores.json").read_text())
    assert (status, row["n"]) == (0, 4)
    assert "Left out of fake: 2 that cannot be used: gone, sub/cut.gif." in printed
    assert row["skipped_broken"] == {"fake": ["gone", "sub/cut.gif"], "real": []}
    assert "Left out of real: files of other kinds: 2 .avif, 1 .mpg." in printed
    assert row["left_out_other_kinds"] == {"fake": {}, "real": {".avif": 2, ".mpg": 1}}


def test_clips_of_one_name_are_pairs_in_any_normal_form(tmp_path: Path, score: Score) -> None:
    for name, accent in (("real", "\u00e9"), ("fake", "e\u0301")):
        write_clips(tmp_path / name, 3, seed="same")
        (tmp_path / name / "clip0.png").rename(tmp_path / name / f"caf{accent}.png")
    status, printed = score("--metrics", "fvd")
    assert status == 0
    assert "to be paired with" not in printed


@pytest.mark.usefixtures("two_folders")
def test_without_captions_what_needs_them_is_said_to_be_left_out(score: Score) -> None:
    status, printed = score("--num-frames", "3", "--size", "16")
    assert status == 0
    assert "Not scored without captions (--captions FILE): clip." in printed
    assert "3 frames of 16x16 px" in printed


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (["--metrics", "fvd,vka"], 2, "there is no metric of clips 'vka'. Did you mean 'vqa'?"),
        (["--metrics", "seconds"], 2, "Known: clip, fvd, vqa"),
        (["--metrics", "clip"], 2, "clip: needs captions of the generated clips. Name their file: --captions"),
        (["--captions", "nowhere.jsonl"], 4, "nowhere.jsonl: cannot be read"),
        (["--captions", "same.csv"], 4, "same.csv: all clips have the same caption"),
        (["--captions", "twice.csv"], 4, "twice.csv:3: file_name 'clip0.png' is already used at twice.csv:2"),
        (["--captions", "half.csv"], 4, "half.csv: has no caption for 2 of 3 clips"),
        (["--captions", "most.csv"], 4, "too few captions for an interval: 2 of 3 clips have 'a'"),
        (["--json", "."], 6, "is a folder. Name another place: --json FILE"),
        (["--fake", "nowhere"], 4, "nowhere: there is no such folder"),
        (["--num-frames", "5"], 4, "have fewer than 5 frames"),
        (["--num-frames", "1"], 2, "--num-frames"),
        (["--num-frame", "1"], 2, "No such option"),
        (["--scale", "tinny"], 2, "Did you mean 'tiny'?"),
        (["--fake", "longer"], 4, "clips differ in frames"),
        (["--fake", "larger"], 4, "clips differ in pixels"),
        (["--fake", "few"], 4, "few: too few clips: 2. fvd, vqa need at least 3."),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_users_fault_is_told_before_any_network_is_loaded(
    options: list[str],
    status: int,
    said: str,
    tmp_path: Path,
    score: Score,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, count, num_frames, size in (("real", 3, 4, 8), ("fake", 3, 4, 8), ("few", 2, 4, 8)):
        write_clips(tmp_path / name, count, seed=name, num_frames=num_frames, size=size)
    write_clips(tmp_path / "longer", 3, seed="l", num_frames=5, size=8)
    write_clips(tmp_path / "larger", 3, seed="l", num_frames=4, size=9)
    captions = {
        "same": "0.png,a 1.png,a 2.png,a",
        "most": "0.png,a 1.png,a 2.png,b",
        "twice": "0.png,a 0.png,b",
        "half": "0.png,a",
    }
    for name, rows in captions.items():
        lines = "".join(f"clip{row}\n" for row in rows.split())
        (tmp_path / f"{name}.csv").write_text(f"file_name,text\n{lines}")
    monkeypatch.setattr("rdtf_bench.run.build.instruments.build_metric", lambda *_: pytest.fail("a network was loaded"))
    got, printed = score(*options)
    assert got == status
    assert said in printed
    assert "Traceback" not in printed
