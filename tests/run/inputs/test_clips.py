"""Clips in the store: what is written is read back, per clip and split."""

from pathlib import Path

import pytest
import torch

from rdtf_bench.core.dataset import Clip
from rdtf_bench.core.seeds import generator_for
from rdtf_bench.data.reading.clips import all_frames, clip_frames
from rdtf_bench.run.inputs import clips as stored
from rdtf_bench.run.inputs.streamed import save_stacked
from rdtf_bench.run.progress import Event, Report, Silent
from tests.data.clips import clip_of


class Listening:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def put(self, event: Event) -> None:
        self.events.append(event)


@pytest.fixture
def files(stickers: str) -> list[Clip]:
    """Three stickers of 5 frames of 16 px."""
    paths = [Path(stickers) / f"{number}.png" for number in range(3)]
    return [clip_of(path, 5) for path in paths]


def test_real_clips_are_read_back(files: list[Clip], tmp_path: Path) -> None:
    stored.write_clips(tmp_path, files, num_frames=4, size_px=8)
    read = stored.read_clips(tmp_path)
    assert read.ids == ("asg/0", "asg/1", "asg/2")
    assert read.captions == ("text 0", "text 1", "text 2")
    assert torch.equal(read.video[1], clip_frames(files[1], num_frames=4, size_px=8))


def test_training_clips_keep_their_own_frames_latents_and_features(files: list[Clip], tmp_path: Path) -> None:
    sink, places = Listening(), [tmp_path / part for part in ("frames", "latents", "features")]
    for place in places:
        place.mkdir()
    report = Report(sink, "prepare", "decoding")
    stored.write_training_frames(places[0], files, max_frames=4, size_px=8, report=report)
    assert sink.events[-1] == Event("prepare", "decoding", 3, 3)
    latents = torch.randn(12, 4, 1, 1, generator=generator_for("latents"))
    features = torch.randn(12, 5, generator=generator_for("features"))
    save_stacked([latents], "latents", places[1] / "latents.safetensors")
    save_stacked([features], "features", places[2] / "features.safetensors")
    split = stored.StoredTrainingClips(*places)
    assert (split.ids, split.captions) == (["asg/0", "asg/1", "asg/2"], ["text 0", "text 1", "text 2"])
    assert torch.equal(split.frames(2), all_frames(files[2], most=4, size_px=8))
    assert torch.equal(split.latents(1), latents[4:8])
    assert torch.equal(split.features(2), features[8:])


def test_frames_are_handed_on_in_parts_that_cover_each_once(
    files: list[Clip], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored, "FRAMES_AT_ONCE", 5)
    silent = Report(Silent(), "prepare", "decoding")
    stored.write_training_frames(tmp_path, files, max_frames=4, size_px=8, report=silent)
    sink = Listening()
    parts = list(stored._in_parts(tmp_path, Report(sink, "prepare", "encoding")))
    assert [len(part) for part in parts] == [5, 5, 2]
    whole = torch.cat([all_frames(file, most=4, size_px=8) for file in files])
    assert torch.equal(torch.cat(parts), whole)
    assert sink.events[-1] == Event("prepare", "encoding", 12, 12)
