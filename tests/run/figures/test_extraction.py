from pathlib import Path

import pytest
import torch
from PIL import Image

from rdtf_bench import catalog
from rdtf_bench.core.dataset import Clip
from rdtf_bench.core.errors import DataError
from rdtf_bench.run.figures.extraction import choose, coverage, measure, row_of, same_content
from rdtf_bench.run.progress import Report, Silent
from rdtf_bench.run.protocols import load_scale
from rdtf_bench.spec.schema import FrameExtraction

EXTRACTION = FrameExtraction(num_clips=2, max_frames=16, k=(2, 3), draws=1, tolerance=8.0, shown_clips=1, shown_k=2)


def clip(name: str, num_frames: int) -> Clip:
    path = Path(f"{name}.gif")
    return Clip(id=name, path=path, caption=name, cluster=name, split="train", num_frames=num_frames, sha256=name)


def frames(*levels: int) -> torch.Tensor:
    """Plain frames of these levels of grey."""
    return torch.stack([torch.full((3, 4, 4), level, dtype=torch.uint8) for level in levels])


def test_frames_within_the_tolerance_show_the_same_and_others_are_distinct() -> None:
    same = same_content(frames(0, 8, 9, 100, 104, 0), 8.0)
    assert same.tolist() == [[1, 1, 0, 0, 0, 1], [0, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 0]]


def test_the_coverage_is_the_share_of_distinct_frames_that_are_shown() -> None:
    same = same_content(frames(0, 0, 0, 0, 100, 200), 8.0)
    assert coverage(same, (0, 2)) == pytest.approx(1 / 3)
    assert coverage(same, (1, 5)) == pytest.approx(2 / 3)
    assert coverage(same, (3, 4, 5)) == 1


def test_the_interval_is_of_the_paired_difference() -> None:
    found = row_of(4, [(0.9, 0.5), (0.7, 0.5), (0.5, 0.5)])
    assert (found["clustering_pct"], found["equal_intervals_pct"], found["difference_points"]) == (70.0, 50.0, 20.0)
    half = 1.96 * 20 / 3**0.5  # the differences are 40, 20 and 0 points
    assert (found["low_95"], found["high_95"]) == (round(20 - half, 2), round(20 + half, 2))


def test_clips_need_more_frames_than_the_largest_k() -> None:
    clips = [clip("a", 3), clip("b", 4), clip("c", 5), clip("d", 6)]
    assert {found.id for found in choose(clips, "asg", EXTRACTION)} < {"b", "c", "d"}
    with pytest.raises(DataError, match="asg: 1 training clips have 4 frames or more"):
        choose(clips[:2], "asg", EXTRACTION)


class MeanColour:
    """Stands in for the feature network and for its module."""

    def load(self, *_: object) -> "MeanColour":
        return self

    def features(self, frames: torch.Tensor, **_: object) -> torch.Tensor:
        return frames.float().mean(dim=(2, 3))


def test_clustering_finds_the_frames_that_equal_intervals_miss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight frames of which two, at the end, show something else."""
    monkeypatch.setattr(catalog, "load", lambda *_: MeanColour())
    clips = []
    for name, level in (("a", 0), ("b", 60)):
        levels = [level] * 6 + [level + 80, level + 160]
        pictures = [Image.new("RGB", (8, 8), (value, value, value)) for value in levels]
        folder = tmp_path / name
        folder.mkdir()
        for number, picture in enumerate(pictures):
            picture.save(folder / f"{number}.png")
        paths = tuple(folder / f"{number}.png" for number in range(len(levels)))
        clips.append(
            Clip(
                id=name,
                path=folder,
                caption=name,
                cluster=name,
                split="train",
                num_frames=len(levels),
                sha256=name,
                frames=paths,
            )
        )
    rows, examples = measure(clips, EXTRACTION, load_scale("tiny"), Report(Silent(), "figure", "clips"))
    of_three = next(row for row in rows if row["k"] == 3)
    assert (of_three["clustering_pct"], of_three["equal_intervals_pct"]) == (100.0, 33.33)
    assert (examples[0].caption, examples[0].equal, examples[0].frames.shape[0]) == ("a", (0, 4), 8)
