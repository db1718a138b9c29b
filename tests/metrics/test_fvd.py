import importlib.resources
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance

from rdtf_bench.core.errors import DataError, ProtocolError
from rdtf_bench.core.intervals import deviation
from rdtf_bench.core.metric import Metric
from rdtf_bench.core.seeds import generator_for
from rdtf_bench.core.store import sha256_of
from rdtf_bench.core.video import VideoU8
from rdtf_bench.metrics import fvd
from rdtf_bench.metrics.features import efficientnet, i3d
from rdtf_bench.metrics.features.i3d import I3D
from rdtf_bench.metrics.frechet import frechet_distance
from rdtf_bench.metrics.fvd import (
    PROFILES,
    Config,
    EfficientNetClips,
    FrechetVideoDistance,
    I3DClips,
    temporal_summary,
)


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


WORKER = """
import sys
import torch
from torch import nn
from rdtf_bench.metrics import fvd

class MeanColour(nn.Module):
    yardstick, num_features = "mean-colour", 3
    def forward(self, video):
        return video.float().mean((1, 3, 4))

folder, rank = sys.argv[1], int(sys.argv[2])
torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
for kept in (50_000, 6):
    fvd.KEPT_CLIPS = kept
    metric = fvd.FrechetVideoDistance(MeanColour())
    for part in torch.load(f"{folder}/parts.pt")[rank]:
        if not part["padding"] or kept > 6:  # what is only a mean by then cannot be taken out again
            metric.update(part["video"], real=part["real"], clip_ids=part["ids"])
    print(repr(float(metric.compute())), metric.name(20), sep=";")
torch.distributed.destroy_process_group()
"""


def test_two_processes_equal_one(tmp_path: Path) -> None:
    """With gloo; the first process also gets all real clips, the second some of the first's own as a sampler pads.

    Once with features kept and once as moments.
    """
    fake, real = clips(20, "fake"), clips(30, "real")
    ids = [f"clip/{i}" for i in range(20)]
    parts = [
        [
            {"video": fake[:11], "real": False, "ids": ids[:11], "padding": False},
            {"video": real, "real": True, "ids": None, "padding": False},
        ],
        [
            {"video": fake[11:], "real": False, "ids": ids[11:], "padding": False},
            {"video": fake[:2], "real": False, "ids": ids[:2], "padding": True},
        ],
    ]
    torch.save(parts, tmp_path / "parts.pt")
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(tmp_path), str(rank)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    for worker in workers:
        said, complaint = worker.communicate(timeout=500)
        answers = [line.split(";") for line in said.splitlines()]
        assert len(answers) == 2, complaint
        for value, name in answers:
            assert float(value) == pytest.approx(value_of(fake=[fake], real=[real]), rel=1e-10)
            assert name == "fvd[mean-colour, ddof 1, n 20]"


def test_many_clips_are_moments(monkeypatch: pytest.MonkeyPatch) -> None:
    fake, real = clips(90, "fake"), clips(30, "real")
    ids = [f"clip/{i}" for i in range(90)]
    expected = value_of(fake=[fake], real=[real])
    monkeypatch.setattr(fvd, "KEPT_CLIPS", 25)
    metric = FrechetVideoDistance(MeanColour())
    metric.update(real, real=True)
    for start in range(0, 90, 20):
        metric.update(fake[start : start + 20], real=False, clip_ids=ids[start : start + 20])
        metric.update(fake[:4], real=False, clip_ids=ids[:4])  # again, before and after they were folded
    assert float(metric.compute()) == pytest.approx(expected, rel=1e-10)
    with pytest.raises(DataError, match="only mean and covariance were kept"):
        metric.features("fake")


def test_merged_moments_are_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    fake, real = clips(90, "fake"), clips(30, "real")
    expected = value_of(fake=[fake], real=[real])
    monkeypatch.setattr(fvd, "KEPT_CLIPS", 25)
    metrics = [FrechetVideoDistance(MeanColour()) for _ in range(2)]
    metrics[0].update(real, real=True)
    for part in range(5):
        metrics[part % 2].update(fake[18 * part : 18 * part + 18], real=False)
    metrics[0].merge_state(metrics[1])
    assert float(metrics[0].compute()) == pytest.approx(expected, rel=1e-10)


def test_moments_of_two_processes_with_the_same_clips_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fvd, "KEPT_CLIPS", 5)
    metrics = [FrechetVideoDistance(MeanColour()) for _ in range(2)]
    for metric in metrics:
        metric.update(clips(10, "fake"), real=False, clip_ids=[f"clip/{i}" for i in range(10)])
        metric.update(clips(4, "real"), real=True)
    metrics[0].merge_state(metrics[1])
    with pytest.raises(DataError, match="fake: the same clips came to several processes"):
        metrics[0].compute()


def test_clips_of_mixed_length_are_refused() -> None:
    metric = FrechetVideoDistance(MeanColour())
    metric.update(clips(5, "fake", num_frames=8), real=False)
    with pytest.raises(DataError, match="clips of 16 frames among clips of 8"):
        metric.update(clips(5, "real", num_frames=16), real=True)
    other = FrechetVideoDistance(MeanColour(), num_frames=16)
    other.update(clips(5, "real", num_frames=16), real=True)
    other.merge_state(metric)
    with pytest.raises(DataError, match=r"clips of \[8, 16\] frames"):
        other.compute()


def test_ready_features_count_as_their_clips() -> None:
    fake, real = clips(20, "fake"), clips(30, "real")
    metric = FrechetVideoDistance(MeanColour())
    metric.update(fake, real=False)
    metric.update_features(MeanColour()(real), real=True)
    assert float(metric.compute()) == value_of(fake=[fake], real=[real])
    assert metric.features("real").shape == (30, 3)


# ---- I3D


def small_i3d(**options: Any) -> I3DClips:
    network = I3D(7, width=1 / 16, size_px=32)
    generator = torch.Generator().manual_seed(0)
    for value in network.parameters():
        value.data.normal_(std=2 / value[0].numel() ** 0.5 if value.ndim > 1 else 0.5, generator=generator)
    return I3DClips(network, weights_sha256="0123456789abcdef" * 4, **options)


def test_eight_frames_reach_i3d_by_a_named_rule() -> None:
    video = clips(2, "sticker", num_frames=8, size_px=48)
    network = small_i3d()
    assert torch.equal(network(video), network(video.repeat_interleave(2, 1)))
    loop = small_i3d(rule="loop")
    assert torch.equal(loop(video), loop(video.repeat(1, 2, 1, 1, 1)))
    assert not torch.equal(loop(video), network(video))
    with pytest.raises(DataError, match="at least 9 frames a clip, these have 8"):
        small_i3d(rule="none")(video)
    with pytest.raises(DataError, match="clips of one frame"):
        network(video[:, :1])


def test_i3d_sees_what_the_profile_makes_of_the_frames() -> None:
    video = clips(1, "sticker", num_frames=16, size_px=40)[..., :36]
    found = {profile: small_i3d(profile=profile)(video) for profile in PROFILES}
    network = small_i3d().network
    prepared = i3d.resize(video[0].movedim(1, 0), profile="styleganv", size_px=32)
    torch.testing.assert_close(found["styleganv"], network(prepared[None]).detach())
    assert not torch.equal(found["styleganv"], found["reference"])
    assert not torch.equal(found["videogpt"], found["reference"])
    assert not torch.equal(found["videogpt"], found["styleganv"])


def test_i3d_features_do_not_feel_batch_or_training_mode() -> None:
    video = clips(3, "sticker", num_frames=8, size_px=32)
    network = small_i3d()
    whole = network(video)
    network.train()
    assert torch.equal(network(video[1:2]), whole[1:2])
    assert whole.shape == (3, network.num_features) == (3, 7)
    assert not torch.allclose(whole[0], whole[1])


@pytest.mark.parametrize(
    ("options", "num_frames", "expected"),
    [
        ({}, 8, "8>16 repeat, 32 bilinear"),
        ({}, 16, "16 frames, 32 bilinear"),
        ({}, None, "repeat, 32 bilinear"),
        ({"rule": "pool1"}, 8, "8 pool1, 32 bilinear"),
        ({"profile": "styleganv", "rule": "loop"}, 12, "12>16 loop, 32 bilinear half-pixel"),
        ({"profile": "videogpt"}, 8, "8>16 repeat, 32 bilinear half-pixel crop, epsilon 1e-5"),
    ],
)
def test_the_name_says_rule_and_profile(options: dict[str, str], num_frames: int | None, expected: str) -> None:
    network = small_i3d(**options)
    network.is_official = True
    assert network.full_name(num_frames) == f"i3d-k400, {expected}"


def test_weights_that_nobody_pinned_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    network = small_i3d()
    assert network.yardstick == "i3d, unverified sha256 0123456789ab"
    assert re.fullmatch(
        r"i3d unverified sha256 0123456789ab probe \d+\.\d{4}, 8>16 repeat, 32 bilinear", network.full_name(8)
    )
    monkeypatch.setattr(fvd, "official_sha256s", lambda: {"0123456789abcdef" * 4})
    assert small_i3d().yardstick == ""
    metric = FrechetVideoDistance(small_i3d(), num_frames=8)
    assert metric.name(500) == "fvd[i3d-k400, 8>16 repeat, 32 bilinear, ddof 1, n 500]"


def test_a_scale_may_name_i3d(tmp_path: Path) -> None:
    torch.save(I3D().state_dict(), tmp_path / "i3d.pt")
    config = Config(network="i3d", profile="styleganv", num_frames=8)
    metric = fvd.build(config, assets={"i3d": tmp_path / "i3d.pt"}, device=torch.device("cpu"))
    assert isinstance(metric, Metric)
    assert metric.ddof == 0
    assert metric.network.num_features == 400
    assert metric.yardstick.startswith("i3d, unverified sha256")
    for bad in (Config(network="i3d", profile="tf"), Config(network="i3d", rule="repeats")):
        with pytest.raises(ProtocolError, match="Known"):
            fvd.build(bad, assets={"i3d": tmp_path / "i3d.pt"}, device=torch.device("cpu"))


def test_a_reduced_network_is_never_the_official_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = small_i3d().network
    assert isinstance(network, I3D)
    i3d.save_reduced(network, tmp_path, name="small", options={"num_classes": 7, "width": 1 / 16, "size_px": 32})
    monkeypatch.setattr(fvd, "official_sha256s", lambda: {sha256_of(tmp_path / i3d.WEIGHTS_FILE)})
    config = Config(network="i3d", rule="pool1", num_frames=8)
    metric = fvd.build(config, assets={"i3d": tmp_path}, device=torch.device("cpu"))
    assert metric.yardstick == "small"
    assert metric.name(60) == "fvd[small, 8 pool1, 32 bilinear, ddof 1, n 60]"
    assert metric.observe(clips(2, "short", num_frames=8), []).shape == (2, 7)


def test_a_score_names_its_yardstick_in_full() -> None:
    metric = FrechetVideoDistance(MeanColour(), ddof=0, num_frames=4)
    fake, real = metric.observe(clips(12, "fake"), []), metric.observe(clips(12, "real"), [])
    found = metric.score(fake=fake, real=real, captions=[], groups=[i % 6 for i in range(12)])
    assert found.name == "fvd[mean-colour, ddof 0, n 12]"
    assert found.value == pytest.approx(frechet_distance(fake=fake, real=real, ddof=0))


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


def test_features_that_come_later_change_the_value() -> None:
    metric, fake, real = FrechetVideoDistance(MeanColour()), clips(20, "fake"), clips(30, "real")
    metric.update(fake, real=False)
    metric.update_features(metric.observe(real[:10], ()), real=True)
    assert float(metric.compute()) == value_of(fake=[fake], real=[real[:10]])
    metric.update_features(metric.observe(real[10:], ()), real=True)
    assert float(metric.compute()) == pytest.approx(value_of(fake=[fake], real=[real]), rel=1e-10)


def test_after_a_reset_clips_may_have_another_length() -> None:
    metric = FrechetVideoDistance(MeanColour())
    metric.update(clips(4, "long", num_frames=5), real=True)
    metric.reset()
    metric.update(clips(4, "real"), real=True)
    metric.update(clips(4, "fake"), real=False)
    assert float(metric.compute()) == value_of(fake=[clips(4, "fake")], real=[clips(4, "real")])


def test_a_profile_brings_its_covariance() -> None:
    assert FrechetVideoDistance(small_i3d(profile="styleganv")).ddof == 0
    assert FrechetVideoDistance(small_i3d(profile="styleganv"), ddof=1).ddof == 1
    assert FrechetVideoDistance(small_i3d()).ddof == 1


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
