from pathlib import Path

import pytest
import torch
from jaxtyping import Float
from torch import Tensor, nn

from rdtf_bench.core.errors import DataError
from rdtf_bench.core.seeds import generator_for
from rdtf_bench.core.video import VideoU8
from rdtf_bench.metrics.fvd import FrechetVideoDistance
from rdtf_bench.metrics.reference import cached_features

IDS = [f"clip/{i}" for i in (3, 0, 4, 1, 2)]


class MeanColour(nn.Module):
    yardstick = "mean-colour"
    num_features = 3

    def __init__(self, weights_sha256: str = "a" * 64, rule: str = "repeat") -> None:
        super().__init__()
        self.weights_sha256, self.rule, self.calls = weights_sha256, rule, 0

    def full_name(self, num_frames: int | None) -> str:
        return f"mean-colour, {num_frames} {self.rule}"

    def forward(self, video: VideoU8) -> Float[Tensor, "B D"]:
        self.calls += 1
        return video.float().mean((1, 3, 4))


class Nameless(nn.Module):
    yardstick = "nameless"
    num_features = 3

    def forward(self, video: VideoU8) -> Float[Tensor, "B D"]:
        return video.float().mean((1, 3, 4))


def clips() -> VideoU8:
    return torch.randint(0, 256, (5, 4, 3, 6, 6), generator=generator_for("reference")).byte()


def test_a_second_call_looks_at_nothing(tmp_path: Path) -> None:
    network = MeanColour()
    first = cached_features(network, clips(), IDS, folder=tmp_path)
    assert torch.equal(first, network(clips()))
    again = cached_features(network, clips(), IDS, folder=tmp_path)
    assert torch.equal(first, again)
    assert network.calls == 2  # ours and the cache's
    order = [2, 0, 4, 1, 3]
    turned = cached_features(network, clips()[order], [IDS[i] for i in order], folder=tmp_path)
    assert torch.equal(turned, first[order])
    assert len(list(tmp_path.iterdir())) == 1


def test_whatever_decides_the_features_is_in_the_key(tmp_path: Path) -> None:
    other_pixel = clips()
    other_pixel[3, 2, 1, 0, 0] ^= 1
    cases = [
        (MeanColour(), clips(), IDS),
        (MeanColour(), other_pixel, IDS),
        (MeanColour(), clips(), [*IDS[:4], "clip/9"]),
        (MeanColour("b" * 64), clips(), IDS),
        (MeanColour(rule="loop"), clips(), IDS),
    ]
    for network, video, ids in cases:
        cached_features(network, video, ids, folder=tmp_path)
        assert network.calls == 1
    assert len(list(tmp_path.iterdir())) == len(cases)


def test_a_file_under_another_name_is_refused(tmp_path: Path) -> None:
    cached_features(MeanColour(), clips(), IDS, folder=tmp_path)
    (stale,) = tmp_path.iterdir()
    other = clips().flip(1)
    cached_features(MeanColour("b" * 64), other, IDS, folder=tmp_path)
    (wanted,) = (path for path in tmp_path.iterdir() if path != stale)
    stale.replace(wanted)
    with pytest.raises(DataError, match=r"holds features of something else \(clips, weights differ\)"):
        cached_features(MeanColour("b" * 64), other, IDS, folder=tmp_path)
    wanted.write_bytes(b"half a file")
    with pytest.raises(DataError, match="cannot be read as cached features"):
        cached_features(MeanColour("b" * 64), other, IDS, folder=tmp_path)


def test_cached_features_make_the_same_distance(tmp_path: Path) -> None:
    metric, plain = FrechetVideoDistance(MeanColour()), FrechetVideoDistance(MeanColour())
    for found in (metric, plain):
        found.update(clips().flip(0) // 2, real=False)
    plain.update(clips(), real=True)
    metric.update_features(cached_features(MeanColour(), clips(), IDS, folder=tmp_path), real=True, clip_ids=IDS)
    assert float(metric.compute()) == float(plain.compute())


def test_ids_and_networks_that_make_no_key_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="all be different"):
        cached_features(MeanColour(), clips(), ["clip/1"] * 5, folder=tmp_path)
    with pytest.raises(DataError, match="5 clips came with 4 ids"):
        cached_features(MeanColour(), clips(), IDS[:4], folder=tmp_path)
    with pytest.raises(DataError, match="nameless: a cache needs"):
        cached_features(Nameless(), clips(), IDS, folder=tmp_path)
