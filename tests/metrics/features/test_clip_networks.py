import re
from pathlib import Path
from typing import Any

import pytest
import torch

from rdtf_bench.core.errors import DataError
from rdtf_bench.core.seeds import generator_for
from rdtf_bench.core.store import sha256_of
from rdtf_bench.core.video import VideoU8
from rdtf_bench.metrics import fvd
from rdtf_bench.metrics.features import clip_networks, efficientnet, i3d
from rdtf_bench.metrics.features.clip_networks import PROFILES, EfficientNetClips, I3DClips, temporal_summary
from rdtf_bench.metrics.features.i3d import I3D
from rdtf_bench.metrics.fvd import Config, FrechetVideoDistance


def clips(count: int, name: str, *, num_frames: int, size_px: int = 8) -> VideoU8:
    shape = (count, num_frames, 3, size_px, size_px)
    return torch.randint(0, 256, shape, generator=generator_for(name), dtype=torch.uint8)


@pytest.fixture(scope="module")
def enet() -> EfficientNetClips:
    return EfficientNetClips(efficientnet.load(), size_px=96)


# ---- EfficientNet-Lite0


def test_temporal_summary_by_hand() -> None:
    features = torch.tensor([[0.0], [1.0], [-1.0], [-1.0]])
    # mean -1/4; steps 1 -2 0: mean 1; changes of step -3 2: mean 2.5
    torch.testing.assert_close(temporal_summary(features), torch.tensor([-0.25, 1.0, 2.5]))


def test_a_clips_features_are_the_same_bits_in_any_batch(enet: EfficientNetClips) -> None:
    video = clips(5, "any", num_frames=8, size_px=32)
    whole = enet(video)
    assert whole.shape == (5, enet.num_features) == (5, 960)
    assert torch.equal(enet(video[2:4].flip(0)), whole[2:4].flip(0))


def test_a_still_clip_has_no_motion(enet: EfficientNetClips) -> None:
    still = clips(2, "still", num_frames=1, size_px=32).expand(2, 8, 3, 32, 32)
    features = enet(still)
    # the same frame eight times in one pass: bits may differ between lanes of a kernel
    assert float(features[:, 320:].abs().max()) < 1e-4
    assert float(features[:, :320].abs().max()) > 0.1


def test_clips_too_short_for_second_differences_are_refused(enet: EfficientNetClips) -> None:
    with pytest.raises(DataError, match="at least 3 frames per clip; these clips have 2"):
        enet(clips(2, "short", num_frames=2))


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
    with pytest.raises(DataError, match="at least 9 frames per clip; these clips have 8"):
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
    monkeypatch.setattr(clip_networks, "known_sha256s", lambda *_: {"0123456789abcdef" * 4})
    assert small_i3d().yardstick == ""
    metric = FrechetVideoDistance(small_i3d(), num_frames=8)
    assert metric.name(500) == "fvd[i3d-k400, 8>16 repeat, 32 bilinear, ddof 1, n 500]"


def test_a_reduced_network_is_never_the_official_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = small_i3d().network
    assert isinstance(network, I3D)
    i3d.save_reduced(network, tmp_path, name="small", options={"num_classes": 7, "width": 1 / 16, "size_px": 32})
    monkeypatch.setattr(clip_networks, "known_sha256s", lambda *_: {sha256_of(tmp_path / i3d.WEIGHTS_FILE)})
    config = Config(network="i3d", rule="pool1", num_frames=8)
    metric = fvd.build(config, assets={"i3d": tmp_path}, device=torch.device("cpu"))
    assert metric.yardstick == "small"
    assert metric.name(60) == "fvd[small, 8 pool1, 32 bilinear, ddof 1, n 60]"
    assert metric.observe(clips(2, "short", num_frames=8), []).shape == (2, 7)
