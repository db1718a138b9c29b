"""Clips in the store: what is written is read back, per clip and split."""

from pathlib import Path

import pytest
import torch

from rdtf_bench.core.dataset import Clip
from rdtf_bench.data.reading.clips import clip_frames
from rdtf_bench.run.inputs import clips as stored
from rdtf_bench.spec.schema import ClipShape
from tests.data.clips import clip_of


@pytest.fixture
def files(stickers: str) -> list[Clip]:
    """Three stickers of 5 frames of 16 px."""
    paths = [Path(stickers) / f"{number}.png" for number in range(3)]
    return [clip_of(path, 5) for path in paths]


def test_real_clips_are_read_back(files: list[Clip], tmp_path: Path) -> None:
    stored.write_clips(tmp_path, files, ClipShape(num_frames=4, size_px=8))
    read = stored.read_clips(tmp_path)
    assert read.ids == ("asg/0", "asg/1", "asg/2")
    assert read.captions == ("text 0", "text 1", "text 2")
    assert torch.equal(read.video[1], clip_frames(files[1], num_frames=4, size_px=8))
