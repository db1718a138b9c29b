import csv
from pathlib import Path

import av
import numpy as np
import pytest

from rdtf_bench.data.reading.videos.video import Video
from rdtf_bench.data.toy import surgery

FEW = {"train": 1, "val": 1, "test": 1}


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    surgery.plans.cache_clear()
    monkeypatch.setattr(surgery, "DURATIONS_S", (0.5, 0.6))


def rows_of(path: Path) -> list[dict[str, str]]:
    assert path.read_bytes().startswith(b"\xef\xbb\xbfvideo_id,")
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.usefixtures("short")
def test_the_set_is_written_in_the_published_layout(tmp_path: Path) -> None:
    surgery.write(tmp_path / "set", videos=FEW)
    names = sorted(path.relative_to(tmp_path / "set").as_posix() for path in (tmp_path / "set").rglob("*.*"))
    tables = ["loca_all", "loca_challenge", "loca_challenge_phase", "surgery"]
    videos = [f"case_{number:04d}" for number in (1, 2, 3)]
    assert names == [f"OphNet2024_all/{video}.mp4" for video in videos] + [
        f"annotation/OphNet2024_{table}.csv" for table in tables
    ]
    rows = rows_of(tmp_path / "set" / "annotation" / "OphNet2024_loca_all.csv")
    assert list(rows[0]) == ["video_id", "start", "end", "split", "surgery_id", "phase_id", "operation_id"]
    assert {row["split"] for row in rows} == {"train", "val", "test"}
    phases = rows_of(tmp_path / "set" / "annotation" / "OphNet2024_loca_challenge_phase.csv")
    assert list(phases[0]) == ["video_id", "start", "end", "split", "surgery_id", "phase_id"]
    for plan in surgery.plans(tuple(FEW.items())):
        path = tmp_path / "set" / "OphNet2024_all" / f"{plan.video_id}.mp4"
        times = Video(path).times_us()
        assert np.abs(np.subtract(times, plan.times_us())).max() <= 1
        with av.open(path) as container:
            assert container.streams.video[0].codec_context.name == "h264"
        assert all(
            float(row["end"]) <= plan.num_frames / plan.fps + 0.01 for row in rows if row["video_id"] == plan.video_id
        )


@pytest.mark.usefixtures("short")
def test_a_complete_set_is_not_written_again_and_an_incomplete_one_is_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(surgery, "_write_video", fail)
    with pytest.raises(KeyboardInterrupt):
        surgery.write(tmp_path / "set", videos=FEW)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "set" / "annotation").mkdir(parents=True)
    surgery.write(tmp_path / "set", videos=FEW)


def test_rates_actions_and_numbers_of_segments_are_mixed() -> None:
    plans = surgery.plans()
    assert {plan.fps for plan in plans} == {25, 30, 50}
    assert {part.action for plan in plans for part in plan.parts} == set(surgery.ACTIONS)
    assert {len(plan.parts) for plan in plans} == {2, 3, 4}
    assert all(len({part.action for part in plan.parts}) == len(plan.parts) for plan in plans)
    assert surgery.fingerprint() == surgery.fingerprint()


def test_frames_move_smoothly_and_depend_on_the_plan_alone() -> None:
    plan = next(plan for plan in surgery.plans() if plan.fps == 30)
    scene, again = surgery._Operation(plan), surgery._Operation(plan)
    frames = np.stack([scene.frame(number / 30) for number in range(8)])
    assert frames.shape == (8, surgery.HEIGHT_PX, surgery.WIDTH_PX, 3)
    assert np.array_equal(frames[3], again.frame(3 / 30))
    video = frames.astype(float)
    steps = np.abs(np.diff(video, axis=0)).mean((1, 2, 3))
    assert steps.min() > 0.5
    assert np.abs(video[-1] - video[0]).mean() > 1.5 * steps.mean()  # steps add up, unlike those of noise


@pytest.mark.parametrize("action", surgery.ACTIONS, ids=lambda action: action.name)
def test_every_action_moves_the_instrument(action: surgery.Action) -> None:
    plan = next(plan for plan in surgery.plans() if plan.parts[0].action == action)
    scene = surgery._Operation(plan)
    half_s = plan.parts[0].end_s / 2
    tips = np.array([scene._instruments(half_s + number / 30)[0][0] for number in range(8)])
    path = np.linalg.norm(np.diff(tips, axis=0), axis=1).sum()
    assert 0.05 < path < 1.5
