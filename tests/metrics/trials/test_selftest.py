from collections.abc import Callable, Iterator
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import rdtf_bench.models.toy
from rdtf_bench.core import video as quantisation
from rdtf_bench.core.errors import UnknownNameError
from rdtf_bench.metrics import clip, frechet, fvd, reference, sample_ids, vqa
from rdtf_bench.metrics.features import efficientnet, fast_vqa, i3d, open_clip_model
from rdtf_bench.metrics.features.clip_networks import EfficientNetClips
from rdtf_bench.metrics.features.efficientnet import EfficientNetLite0
from rdtf_bench.metrics.features.i3d import I3D
from rdtf_bench.metrics.trials import selftest
from rdtf_bench.metrics.trials.selftest import PROBES, Instruments, Outcome, scenes

WEIGHTS = Path(rdtf_bench.models.toy.__file__).parent / "weights"


def instruments_with(network: EfficientNetLite0) -> Instruments:
    return Instruments(
        fvd=fvd.FrechetVideoDistance(EfficientNetClips(network, size_px=64)),
        vqa=vqa.FastVQA(WEIGHTS / "vqa"),
        clip=clip.ClipSimilarity(WEIGHTS / "clip"),
    )


@pytest.fixture(scope="module")
def instruments() -> Instruments:
    return instruments_with(efficientnet.load())


def probe(name: str, instruments: Instruments) -> Outcome:
    (outcome,) = selftest.run(instruments, [name])
    assert outcome.probe == name
    return outcome


@pytest.mark.parametrize("name", sorted(PROBES))
def test_what_is_shipped_passes(name: str, instruments: Instruments) -> None:
    assert probe(name, instruments).fault is None


def test_an_unknown_probe_is_refused(instruments: Instruments) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'order'"):
        next(selftest.run(instruments, ["ordre"]))


def test_every_scene_is_another_one_and_moves() -> None:
    video = scenes()
    assert video.shape == (16, 8, 3, 64, 64)
    assert len({clip.numpy().tobytes() for clip in video}) == 16
    assert all(not torch.equal(clip[0], clip[-1]) for clip in video)
    assert not torch.equal(scenes(1), video)


# ---- planted bugs, each seen by the probe that looks for it


def test_blue_for_red(instruments: Instruments, monkeypatch: pytest.MonkeyPatch) -> None:
    intact = EfficientNetLite0.features
    monkeypatch.setattr(
        EfficientNetLite0, "features", lambda self, frames, **options: intact(self, frames.flip(1), **options)
    )
    assert "known answer" in str(probe("embedded_answer", instruments).fault)


def test_0_to_1_for_0_to_255(instruments: Instruments, monkeypatch: pytest.MonkeyPatch) -> None:
    intact = EfficientNetLite0.features
    monkeypatch.setattr(
        EfficientNetLite0, "features", lambda self, frames, **options: intact(self, frames // 255, **options)
    )
    assert "known answer" in str(probe("embedded_answer", instruments).fault)


def test_pooled_features_for_logits(instruments: Instruments, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(i3d.Logits, "forward", lambda self, pooled: pooled[..., 0, 0])  # noqa: ARG005
    assert "shape (1, 64), not (1, 8)" in str(probe("i3d_answer", instruments).fault)


def test_wrong_epsilon(instruments: Instruments, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(i3d, "I3D", partial(I3D, epsilon=1e-5))
    assert "known answer" in str(probe("i3d_answer", instruments).fault)


@pytest.mark.parametrize("wrong", ["flatten", "first"])
def test_missing_time_mean(wrong: str, instruments: Instruments, monkeypatch: pytest.MonkeyPatch) -> None:
    def forward(self: I3D, video: Tensor) -> Tensor:
        steps = self.step_logits(video)
        return steps.flatten(1) if wrong == "flatten" else steps[..., 0]

    monkeypatch.setattr(I3D, "forward", forward)
    assert not probe("time_mean", instruments).passed


def test_n_for_n_minus_1(instruments: Instruments, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frechet, "frechet_distance", partial(frechet.frechet_distance, ddof=0))
    assert "n for n - 1" in str(probe("covariance", instruments).fault)


@pytest.mark.parametrize("place", ["i3d", "vqa"])
def test_frames_off_by_one(place: str, instruments: Instruments, monkeypatch: pytest.MonkeyPatch) -> None:
    if place == "i3d":
        intact = i3d.extend
        monkeypatch.setattr(i3d, "extend", lambda video, **options: intact(video.roll(1, 1), **options))
    else:
        monkeypatch.setattr(vqa, "frame_indices", lambda given, wanted: [(i + 1) % given for i in range(wanted)])
    assert "sees frames" in str(probe("frames", instruments).fault)


def test_wrong_resize(instruments: Instruments, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(i3d.RESIZE, "reference", i3d.squash)
    assert "known answer" in str(probe("resize", instruments).fault)


def test_extractor_in_train_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EfficientNetLite0, "train", nn.Module.train)
    assert "train and eval" in str(probe("batch_size", instruments_with(efficientnet.load())).fault)


def test_unseeded_fragments(instruments: Instruments, monkeypatch: pytest.MonkeyPatch) -> None:
    seeds: Iterator[int] = count()
    monkeypatch.setattr(vqa, "generator_for", lambda *parts: torch.Generator().manual_seed(next(seeds)))  # noqa: ARG005
    assert "not seeded" in str(probe("fragments", instruments).fault)


def test_binary_gate(instruments: Instruments, monkeypatch: pytest.MonkeyPatch) -> None:
    intact = torch.lerp
    monkeypatch.setattr(torch, "lerp", lambda start, end, weight: intact(start, end, weight.clamp(max=1)))
    assert not probe("gate", instruments).passed


def test_blue_for_red_in_front_of_fast_vqa(instruments: Instruments, monkeypatch: pytest.MonkeyPatch) -> None:
    intact = fast_vqa.normalise
    monkeypatch.setattr(fast_vqa, "normalise", lambda fragments: intact(fragments.flip(1)))
    assert "FAST-VQA" in str(probe("colours", instruments).fault)


@pytest.mark.parametrize("wrong", [lambda x: x.flip(1), lambda x: x // 255], ids=["blue for red", "0 to 1"])
def test_wrong_pixels_in_front_of_clip(
    wrong: Callable[[Tensor], Tensor], instruments: Instruments, monkeypatch: pytest.MonkeyPatch
) -> None:
    intact = open_clip_model.OpenClipModel.pixels
    monkeypatch.setattr(open_clip_model.OpenClipModel, "pixels", lambda self, frames: intact(self, wrong(frames)))
    assert "CLIP" in str(probe("colours", instruments).fault)


def test_gelu_for_quick_gelu(instruments: Instruments, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(open_clip_model, "require_same_activation", lambda *_: None)
    assert "GELU" in str(probe("activation", instruments).fault)


def test_swapped_real_and_fake(instruments: Instruments, monkeypatch: pytest.MonkeyPatch) -> None:
    intact = vqa.FastVQA.score

    def swapped(self: vqa.FastVQA, *, fake: Tensor, real: Tensor, **options: Any) -> Any:
        return intact(self, fake=real, real=fake, **options)

    monkeypatch.setattr(vqa.FastVQA, "score", swapped)
    assert "exchanged" in str(probe("sides", instruments).fault)


def test_stale_cache(instruments: Instruments, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "digest", lambda video, clip_ids: "by name alone")  # noqa: ARG005
    assert "features of others" in str(probe("cache", instruments).fault)


def test_truncated_quantisation(instruments: Instruments, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantisation, "to_uint8", lambda video: ((video + 1) * 127.5).clamp(0, 255).byte())
    assert "cut off" in str(probe("bytes_rounded", instruments).fault)


def test_duplicated_samples(instruments: Instruments, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample_ids, "first_of_each", lambda ids: torch.ones(len(ids), dtype=torch.bool))
    assert "came twice" in str(probe("duplicates", instruments).fault)


def test_a_blind_metric_fails_its_ladder(instruments: Instruments, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vqa.FastVQA, "observe", lambda self, video, clip_ids: torch.ones(len(video), 1))  # noqa: ARG005
    assert "rank correlation 0.00" in str(probe("vqa_noise", instruments).fault)


def test_captions_of_other_clips(instruments: Instruments, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clip, "clip_candidates", lambda found: torch.ones(len(found.own)).double())
    assert not probe("captions", instruments).passed
