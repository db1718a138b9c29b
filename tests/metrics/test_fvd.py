import importlib.resources
import subprocess
import sys
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
from rdtf_bench.metrics.features.clip_networks import EfficientNetClips, I3DClips
from rdtf_bench.metrics.features.i3d import I3D
from rdtf_bench.metrics.frechet import frechet_distance
from rdtf_bench.metrics.fvd import Config, FrechetVideoDistance


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
    """Use gloo; the first process also gets all real clips, the second some of the first's own as a sampler pads.

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
    with pytest.raises(DataError, match="fake: several processes were given the same clips"):
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
    def network(profile: str) -> I3DClips:
        return I3DClips(I3D(7, width=1 / 16, size_px=32), weights_sha256="0" * 64, profile=profile)

    assert FrechetVideoDistance(network("styleganv")).ddof == 0
    assert FrechetVideoDistance(network("styleganv"), ddof=1).ddof == 1
    assert FrechetVideoDistance(network("reference")).ddof == 1


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


def test_the_parts_of_a_score_are_the_distances_of_their_features() -> None:
    """The first 320 features see single frames: shifting them moves the appearance by 320 * 2^2 and not the motion."""
    metric = FrechetVideoDistance(EfficientNetClips(efficientnet.EfficientNetLite0(), size_px=32))
    fake, real = torch.randn(2, 24, 960, generator=generator_for("parts"), dtype=torch.float64)
    groups = [i % 8 for i in range(24)]
    found = metric.score(fake=fake, real=real, captions=[], groups=groups)
    assert list(found.parts) == list(fvd.PARTS) == ["appearance", "motion"]
    appearance, motion = found.parts.values()
    assert appearance.value == frechet_distance(fake=fake[:, :320], real=real[:, :320])
    assert motion.value == frechet_distance(fake=fake[:, 320:], real=real[:, 320:])
    assert len(appearance.without_group) == len(motion.without_group) == 8
    assert appearance.value + motion.value < found.value
    fake[:, :320] += real[:, :320].mean(0) - fake[:, :320].mean(0)
    before = metric.score(fake=fake, real=real, captions=[], groups=groups)
    fake[:, :320] += 2
    after = metric.score(fake=fake, real=real, captions=[], groups=groups)
    assert after.parts["appearance"].value == pytest.approx(before.parts["appearance"].value + 1280)
    assert after.parts["motion"] == before.parts["motion"]


def test_a_network_whose_features_are_not_parted_has_no_parts() -> None:
    metric = FrechetVideoDistance(MeanColour())
    features = metric.observe(clips(6, "fake"), [])
    assert metric.score(fake=features, real=features, captions=[], groups=list(range(6))).parts == {}


def test_features_that_are_not_numbers_are_refused() -> None:
    metric = FrechetVideoDistance(MeanColour())
    bad = torch.ones(6, 3)
    bad[5, 1] = float("nan")
    with pytest.raises(DataError, match="real: the features of clip 5"):
        metric.score(fake=torch.randn(6, 3), real=bad, captions=[], groups=list(range(6)))


def test_it_fulfils_the_contract() -> None:
    weights = Path(str(importlib.resources.files(efficientnet.PACKAGE))) / efficientnet.FILE
    metric = fvd.build(Config(size_px=64), assets={"efficientnet": weights}, device=torch.device("cpu"))
    assert isinstance(metric, Metric)
    assert isinstance(metric.network, EfficientNetClips)
    assert metric.yardstick == "enet-lite0 64px"
    with pytest.raises(ProtocolError, match="no network 'i3dd'"):
        fvd.build(Config(network="i3dd"), assets={}, device=torch.device("cpu"))
