import importlib.resources
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance

from rdtf_bench.core.errors import DataError, ProtocolError
from rdtf_bench.core.intervals import deviation
from rdtf_bench.core.metric import Metric
from rdtf_bench.core.seeds import generator_for
from rdtf_bench.core.video import VideoU8
from rdtf_bench.metrics import fvd
from rdtf_bench.metrics.features import efficientnet
from rdtf_bench.metrics.fvd import Config, EfficientNetClips, FrechetVideoDistance, temporal_summary


class MeanColour(nn.Module):
    """Three features a clip, so that answers can be worked out."""

    yardstick = "mean-colour"
    num_features = 3

    def forward(self, video: VideoU8) -> Float[Tensor, "B D"]:
        return video.float().mean((1, 3, 4))


class MeanColourOfImages(MeanColour):
    def forward(self, image: Float[Tensor, "..."]) -> Float[Tensor, "B D"]:
        return image.float().mean((2, 3))


def clips(count: int, name: str, *, num_frames: int = 4, size_px: int = 8) -> VideoU8:
    generator = generator_for(name)
    base = torch.randint(0, 128, (count, 1, 3, 1, 1), generator=generator)
    noise = torch.randint(0, 128, (count, num_frames, 3, size_px, size_px), generator=generator)
    return (base + noise).byte()


def value_of(*, fake: Sequence[VideoU8], real: Sequence[VideoU8]) -> float:
    metric = FrechetVideoDistance(MeanColour())
    for part in fake:
        metric.update(part, real=False)
    for part in real:
        metric.update(part, real=True)
    return float(metric.compute())


@pytest.fixture(scope="module")
def enet() -> FrechetVideoDistance:
    return FrechetVideoDistance()


def test_flat_clips_by_hand() -> None:
    # greys 0 and 2 against 10 and 14, the same in each channel, so one direction of length sqrt(3):
    # 3 * (121 + (sqrt 2 - sqrt 8)^2)
    fake, real = (torch.tensor(greys, dtype=torch.uint8).view(2, 1, 1, 1, 1) for greys in ([0, 2], [10, 14]))
    shape = (2, 3, 3, 4, 4)
    assert value_of(fake=[fake.expand(shape)], real=[real.expand(shape)]) == pytest.approx(369, rel=1e-9)


def test_agrees_with_torchmetrics_moments_on_the_same_features() -> None:
    fake, real = clips(40, "fake", num_frames=1), clips(50, "real", num_frames=1)
    reference = FrechetInceptionDistance(feature=MeanColourOfImages()).set_dtype(torch.float64)
    reference.update(fake[:, 0], real=False)
    reference.update(real[:, 0], real=True)
    # its result is cast to the features' float32
    assert value_of(fake=[fake], real=[real]) == pytest.approx(float(reference.compute()), rel=1e-7)


def test_identical_sets_are_at_zero_and_the_distance_is_symmetric() -> None:
    fake, real = clips(20, "fake"), clips(30, "real")
    assert value_of(fake=[fake], real=[fake]) == pytest.approx(0, abs=1e-8)
    assert value_of(fake=[fake], real=[real]) == pytest.approx(value_of(fake=[real], real=[fake]), rel=1e-12)


def test_batches_and_order_do_not_matter() -> None:
    fake, real = clips(20, "fake"), clips(30, "real")
    whole = value_of(fake=[fake], real=[real])
    assert value_of(fake=[fake[12:], fake[:12]], real=[real[:7], real[7:]]) == pytest.approx(whole, rel=1e-12)


def test_merged_states_are_the_whole() -> None:
    fake, real = clips(20, "fake"), clips(30, "real")
    parts = [FrechetVideoDistance(MeanColour()) for _ in range(2)]
    for part, metric in enumerate(parts):
        metric.update(fake[part::2], real=False)
        metric.update(real[part::2], real=True)
    parts[0].merge_state(parts[1])
    # the order of clips is another, so the last digits of sums are
    assert float(parts[0].compute()) == pytest.approx(value_of(fake=[fake], real=[real]), rel=1e-10)


def test_two_processes_equal_one() -> None:
    fake, real = clips(20, "fake"), clips(30, "real")
    ids = [f"clip/{i}" for i in range(20)]
    other = FrechetVideoDistance(MeanColour())
    other.update(fake[11:], real=False, clip_ids=ids[11:])
    other.update(fake[:2], real=False, clip_ids=ids[:2])  # what a distributed sampler pads with
    other.update(real[15:], real=True)
    # what torch.distributed would gather, state by state in the order they were added
    theirs = iter([torch.cat(getattr(other, name)) for name in ("fake", "real", "fake_ids", "real_ids")])

    def gather(ours: Tensor, group: object) -> list[Tensor]:
        del group
        return [ours, next(theirs)]

    one = FrechetVideoDistance(MeanColour(), dist_sync_fn=gather, distributed_available_fn=lambda: True)
    one.update(fake[:11], real=False, clip_ids=ids[:11])
    one.update(real[:15], real=True)
    assert float(one.compute()) == pytest.approx(value_of(fake=[fake], real=[real]), rel=1e-10)


def test_a_samplers_padding_counts_once() -> None:
    fake, real = clips(20, "fake"), clips(30, "real")
    ids = [f"clip/{i}" for i in range(20)]
    metric = FrechetVideoDistance(MeanColour())
    metric.update(real, real=True)
    metric.update(fake, real=False, clip_ids=ids)
    metric.update(fake[:3], real=False, clip_ids=ids[:3])
    assert float(metric.compute()) == value_of(fake=[fake], real=[real])
    metric.reset()
    metric.update(real, real=True)
    metric.update(torch.cat([fake, fake[:3]]), real=False)
    assert float(metric.compute()) != value_of(fake=[fake], real=[real])


def test_too_few_clips_are_refused() -> None:
    metric = FrechetVideoDistance(MeanColour())
    metric.update(clips(5, "real"), real=True)
    with pytest.raises(DataError, match="fake: no clips"):
        metric.compute()
    metric.update(clips(1, "fake"), real=False)
    with pytest.raises(DataError, match=r"fake: .* at least 2 clips"):
        metric.compute()


def test_ids_that_do_not_fit_the_clips_are_refused() -> None:
    with pytest.raises(DataError, match="3 clips came with 2 ids"):
        FrechetVideoDistance(MeanColour()).update(clips(3, "real"), real=True, clip_ids=["a", "b"])


def test_score_leaves_each_group_out() -> None:
    metric = FrechetVideoDistance(MeanColour())
    fake, real = metric.observe(clips(30, "fake"), []), metric.observe(clips(30, "real"), [])
    groups = [i % 10 for i in range(30)]
    found = metric.score(fake=fake, real=real, captions=["x"] * 30, groups=groups)
    assert found.n == 30
    assert len(found.without_group) == 10
    kept = torch.tensor(groups) != 4
    alone = metric.score(fake=fake[kept], real=real[kept], captions=[], groups=[i % 9 for i in range(27)])
    assert found.without_group[4] == pytest.approx(alone.value, rel=1e-12)  # equal groups: nothing to even out
    assert 0 < deviation(found.without_group) < found.value


def test_features_that_are_not_numbers_are_refused() -> None:
    metric = FrechetVideoDistance(MeanColour())
    bad = torch.ones(6, 3)
    bad[5, 1] = float("nan")
    with pytest.raises(DataError, match="real: the features of clip 5"):
        metric.score(fake=torch.randn(6, 3), real=bad, captions=[], groups=list(range(6)))


def test_temporal_summary_by_hand() -> None:
    features = torch.tensor([[0.0], [1.0], [-1.0], [-1.0]])
    # mean -1/4; steps 1 -2 0: mean 1; changes of step -3 2: mean 2.5
    torch.testing.assert_close(temporal_summary(features), torch.tensor([-0.25, 1.0, 2.5]))


def test_a_clips_features_are_the_same_bits_in_any_batch(enet: FrechetVideoDistance) -> None:
    video = clips(5, "any", num_frames=8, size_px=32)
    whole = enet.observe(video, [])
    assert whole.shape == (5, enet.network.num_features) == (5, 960)
    assert torch.equal(enet.observe(video[2:4].flip(0), []), whole[2:4].flip(0))


def test_a_still_clip_has_no_motion(enet: FrechetVideoDistance) -> None:
    still = clips(2, "still", num_frames=1, size_px=32).expand(2, 8, 3, 32, 32)
    features = enet.observe(still, [])
    # the same frame eight times in one pass: bits may differ between lanes of a kernel
    assert float(features[:, 320:].abs().max()) < 1e-4
    assert float(features[:, :320].abs().max()) > 0.1


def test_clips_too_short_for_second_differences_are_refused(enet: FrechetVideoDistance) -> None:
    with pytest.raises(DataError, match="at least 3 frames a clip, these have 2"):
        enet.observe(clips(2, "short", num_frames=2), [])


def test_it_fulfils_the_contract() -> None:
    weights = Path(str(importlib.resources.files(efficientnet.PACKAGE))) / efficientnet.FILE
    metric = fvd.build(Config(size_px=64), assets={"efficientnet": weights}, device=torch.device("cpu"))
    assert isinstance(metric, Metric)
    assert isinstance(metric.network, EfficientNetClips)
    assert metric.yardstick == "enet-lite0 64px"
    with pytest.raises(ProtocolError, match="no network 'i3dd'"):
        fvd.build(Config(network="i3dd"), assets={}, device=torch.device("cpu"))
