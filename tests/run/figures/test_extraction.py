from pathlib import Path

import pytest
import torch

from rdtf_bench.core.dataset import Clip
from rdtf_bench.core.errors import DataError
from rdtf_bench.run.figures.extraction import choose, coverage, row_of, same_content
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
