from collections.abc import Sequence

import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from rdtf_bench.core.metric import Score
from rdtf_bench.core.seeds import generator_for
from rdtf_bench.core.video import VideoU8
from rdtf_bench.metrics.validity import Curve, curve

IDS = [f"clip/{i}" for i in range(6)]


class Sharpness:
    """Mean absolute difference of neighbouring pixels; knows nothing of captions."""

    yardstick = "sharpness"

    def observe(self, video: VideoU8, clip_ids: Sequence[str]) -> Float[Tensor, "B ..."]:
        del clip_ids
        return video.double().diff(dim=-1).abs().mean((1, 2, 3, 4))

    def score(
        self,
        *,
        fake: Float[Tensor, "N ..."],
        real: Float[Tensor, "M ..."],
        captions: Sequence[str],
        groups: Sequence[int],
    ) -> Score:
        del real, captions, groups
        return Score(value=float(fake.mean()), n=len(fake), without_group=())


def curve_of(fault: str) -> Curve:
    video = torch.randint(0, 256, (6, 8, 3, 12, 12), generator=generator_for("validity")).byte()
    return curve(Sharpness(), fault, video=video, real=video, clip_ids=IDS, captions=IDS, higher_is_better=True)


def test_a_fault_that_is_seen() -> None:
    found = curve_of("blur")
    assert len(found.values) == 6
    assert found.rank_correlation == pytest.approx(1)
    assert found.is_seen


@pytest.mark.parametrize("fault", ["caption_swap", "shuffle"])
def test_a_fault_that_is_not_seen(fault: str) -> None:
    found = curve_of(fault)
    assert found.values == pytest.approx([found.values[0]] * 6)
    assert not found.is_seen


def test_direction_counts() -> None:
    rising = Curve(fault="blur", values=(1.0, 2.0, 3.0), higher_is_better=True)
    assert rising.rank_correlation == pytest.approx(-1)
    assert Curve(fault="blur", values=(1.0, 2.0, 3.0), higher_is_better=False).is_seen
    assert Curve(fault="blur", values=(1.0, 1.0, 1.0), higher_is_better=False).rank_correlation == 0
