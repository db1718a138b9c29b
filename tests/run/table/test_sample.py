from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import pytest
import torch
from safetensors.torch import load_file

from rdtf_bench.core.errors import SamplingError
from rdtf_bench.core.method import Conditions, Sampler
from rdtf_bench.core.store import Store
from rdtf_bench.core.video import Video
from rdtf_bench.run.inputs.clips import RealClips
from rdtf_bench.run.progress import Report, Silent
from rdtf_bench.run.table.finished import seconds_of_samples
from rdtf_bench.run.table.sample import conditions, finish_samples, read_samples, write_samples
from rdtf_bench.spec.identities import ClipsIdentity, SamplerIdentity, TrainedSamples

REPORT = Report(Silent(), "job", "sampling")
SAMPLER = SamplerIdentity(num_steps=2, timestep_spacing="leading", eta=0.0, guidance_text=1.0, guidance_image=1.0)
CLIPS = ClipsIdentity(clips="x", num_frames=8, size_px=4)


def real_clips(count: int = 5) -> RealClips:
    video = torch.arange(count, dtype=torch.uint8)[:, None, None, None, None].expand(-1, 8, 3, 4, 4) + 100
    names = tuple(f"clip {i}" for i in range(count))
    return RealClips(ids=names, captions=tuple(f"caption {i}" for i in range(count)), video=video)


def unused(self: object) -> None:
    raise AssertionError(f"sampling calls {type(self).__name__}.generate alone")


class Noise:
    """Fills each clip with its generator's first number, and can be stopped after some calls."""

    fit = save = load = denoiser = denoiser_inputs = parameter_counts = unused

    def __init__(self, dies_after: int = 99) -> None:
        self.calls = 0
        self.dies_after = dies_after

    def generate(self, given: Conditions, generators: Sequence[torch.Generator], sampler: Sampler) -> Video:
        if self.calls == self.dies_after:
            raise KeyboardInterrupt
        self.calls += 1
        levels = torch.stack([torch.rand(1, generator=generator) for generator in generators])
        return levels[:, :, None, None, None].expand_as(given.frames) * sampler.num_steps / 2


def sample(known_frames: Literal["overwrite", "keep"] = "keep") -> TrainedSamples:
    return TrainedSamples(
        fit="f", task="it2v", known_frames=known_frames, real=CLIPS, sampler=SAMPLER, batch_size=2, seed=0
    )


def write(method: Noise, store: Store, known_frames: Literal["overwrite", "keep"] = "keep") -> torch.Tensor:
    identity = sample(known_frames)
    generate = partial(method.generate, sampler=Sampler(**SAMPLER.model_dump()))
    write_samples(generate, identity, real_clips(), slice(0, 5), store=store, report=REPORT)
    finish_samples(identity, 5, store=store)
    return read_samples(store.path("samples", identity.key))


def test_only_known_frames_are_given() -> None:
    given = conditions(real_clips(), "it2v", slice(0, 2))
    assert given.known[0].tolist() == [1, 0, 0, 0, 0, 0, 0, 0]
    assert given.frames[:, 1:].abs().max() == 0
    assert torch.allclose(given.frames[0, 0], torch.tensor(100 / 127.5 - 1))
    assert given.captions == ("caption 0", "caption 1")


def test_a_task_without_text_gives_no_captions() -> None:
    assert conditions(real_clips(), "i2v", slice(0, 2)).captions == ("", "")


def test_masks_are_dealt_by_place_and_not_by_batch() -> None:
    whole = conditions(real_clips(), "interpolation", slice(0, 5)).known
    assert torch.equal(conditions(real_clips(), "interpolation", slice(3, 5)).known, whole[3:5])
    assert len({tuple(mask) for mask in whole.tolist()}) == 3


def test_a_killed_run_goes_on_and_ends_in_the_same_bits(tmp_path: Path) -> None:
    uninterrupted = write(Noise(), Store(tmp_path / "a"))
    store = Store(tmp_path / "b")
    with pytest.raises(KeyboardInterrupt):
        write(Noise(dies_after=2), store)
    assert not store.has("samples", sample().key)
    second_try = Noise()
    assert torch.equal(write(second_try, store), uninterrupted)
    assert second_try.calls == 1  # two of three shards were there


def test_clips_that_are_not_finite_stop_the_row_and_are_named(tmp_path: Path) -> None:
    class Diverged(Noise):
        def generate(self, given: Conditions, generators: Sequence[torch.Generator], sampler: Sampler) -> Video:
            return super().generate(given, generators, sampler) / 0

    with pytest.raises(SamplingError, match="sampling of clip 0 to clip 1: 2 of 2 clips"):
        write(Diverged(), Store(tmp_path))


def test_finished_samples_are_not_made_again(tmp_path: Path) -> None:
    store, again = Store(tmp_path), Noise()
    write(Noise(), store)
    write(again, store)
    assert again.calls == 0


def test_known_frames_are_overwritten_where_the_protocol_says_so(tmp_path: Path) -> None:
    kept = write(Noise(), Store(tmp_path / "a"), "keep")
    overwritten = write(Noise(), Store(tmp_path / "b"), "overwrite")
    assert torch.equal(overwritten[:, 0], real_clips().video[:, 0])
    assert torch.equal(overwritten[:, 1:], kept[:, 1:])


def test_a_shard_says_how_long_it_took(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write(Noise(), store)
    assert len(list(store.path("samples", sample().key).glob("*.safetensors"))) == 3
    assert load_file(store.path("samples", sample().key) / "shard-0002.safetensors")["video"].shape[0] == 1
    assert seconds_of_samples(store, sample().key) >= 0
