from collections.abc import Sequence

import pytest
import torch
from jaxtyping import Float
from torch import Tensor

from rdtf_bench.core.metric import Score
from rdtf_bench.core.seeds import generator_for
from rdtf_bench.core.video import VideoU8
from rdtf_bench.metrics.trials.validity import Curve, Thinned, curve, tau

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
    last_digits = (0.1, 0.1 + 1e-13, 0.1 + 2e-13)
    assert Curve(fault="shuffle", values=last_digits, higher_is_better=False).rank_correlation == 0


# ---- rank agreement


class Watching(Sharpness):
    """Sharpness, and the frames that it was shown."""

    def __init__(self) -> None:
        self.shown: list[VideoU8] = []

    def observe(self, video: VideoU8, clip_ids: Sequence[str]) -> Float[Tensor, "B ..."]:
        self.shown.append(video)
        return super().observe(video, clip_ids)


def test_a_thinned_metric_sees_every_second_frame_of_faults_in_all() -> None:
    video = torch.arange(16, dtype=torch.uint8).view(1, 16, 1, 1, 1).expand(2, 16, 3, 4, 4)
    metric = Watching()
    thinned = Thinned(metric, every=2)
    curve(thinned, "freeze", video=video, real=video, clip_ids=IDS[:2], captions=IDS[:2], higher_is_better=True)
    real, intact, *frozen = metric.shown
    assert real[0, :, 0, 0, 0].tolist() == intact[0, :, 0, 0, 0].tolist() == list(range(0, 16, 2))
    assert set(frozen[-1][0, :, 0, 0, 0].tolist()) == {0}
    assert thinned.yardstick == "sharpness"


def test_tau_by_hand() -> None:
    # intact 1, then 2 3 and 4 5; the other turns one of the ten pairs round: (9 - 1) / 10
    whole = [(1.0, 2.0, 3.0), (1.0, 4.0, 5.0)]
    assert tau(whole, [(10.0, 20.0, 30.0), (10.0, 50.0, 40.0)]) == pytest.approx(0.8)
    assert tau(whole, whole) == pytest.approx(1)
    assert tau(whole, [(10.0, 9.0, 8.0), (10.0, 7.0, 6.0)]) == pytest.approx(-1)
    assert tau(whole, [(1.0, 1.0, 1.0), (1.0, 1.0, 1.0)]) == 0


def test_intact_clips_count_once_in_tau() -> None:
    # counted twice, their tie would be a pair in neither order
    assert tau([(1.0, 2.0), (1.0, 3.0)], [(5.0, 4.0), (5.0, 6.0)]) == pytest.approx(1 / 3)


def test_a_curve_has_every_value_without_each_group() -> None:
    video = torch.randint(0, 256, (6, 8, 3, 12, 12), generator=generator_for("groups")).byte()
    found = curve(Grouped(), "blur", video=video, real=video, clip_ids=IDS, captions=IDS, higher_is_better=True)
    assert found.without_group == tuple((value, value + 1) for value in found.values)


class Grouped(Sharpness):
    def score(
        self,
        *,
        fake: Float[Tensor, "N ..."],
        real: Float[Tensor, "M ..."],
        captions: Sequence[str],
        groups: Sequence[int],
    ) -> Score:
        found = super().score(fake=fake, real=real, captions=captions, groups=groups)
        return Score(value=found.value, n=found.n, without_group=(found.value, found.value + 1))
