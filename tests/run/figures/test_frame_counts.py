from pathlib import Path

from rdtf_bench.core.dataset import Clip
from rdtf_bench.run.figures.frame_counts import rows
from rdtf_bench.spec.schema import FrameCounts


def clip(num_frames: int) -> Clip:
    return Clip(
        id=f"asg/{num_frames}",
        path=Path("a.gif"),
        caption="",
        cluster="a",
        split="train",
        num_frames=num_frames,
        sha256="",
    )


def test_clips_are_counted_by_bin_beside_the_published_share() -> None:
    published = FrameCounts(label="other", published="by hand", largest=(10, 20), thousands=(60.0, 30.0, 10.0))
    found = rows([clip(count) for count in (2, 10, 11, 20, 21, 300, 500, 900)], published)
    assert [row["frames"] for row in found] == ["2-10", "11-20", "21 or more"]
    assert [row["clips"] for row in found] == [2, 2, 4]
    assert [row["share_pct"] for row in found] == [25.0, 25.0, 50.0]
    assert [row["published_share_pct"] for row in found] == [60.0, 30.0, 10.0]
