import pytest
import torch

from rdtf_bench.core.errors import UnknownNameError
from rdtf_bench.core.seeds import generator_for
from rdtf_bench.core.video import VideoU8
from rdtf_bench.metrics.trials import distortions
from rdtf_bench.metrics.trials.distortions import FAULTS, collapse, swap_captions, with_fault

IDS = [f"clip/{i}" for i in range(10)]


def clips() -> VideoU8:
    return torch.randint(0, 256, (10, 8, 3, 16, 16), generator=generator_for("faults")).byte()


@pytest.mark.parametrize("fault", [*FAULTS, "collapse"])
def test_faults_keep_the_shape_and_come_from_the_ids(fault: str) -> None:
    video = clips()
    found = with_fault(video, fault, 0.5, IDS)
    assert found.shape == video.shape
    assert found.dtype == torch.uint8
    assert not torch.equal(found, video)
    assert torch.equal(found, with_fault(video, fault, 0.5, IDS))


@pytest.mark.parametrize("fault", FAULTS)
def test_a_clips_fault_does_not_feel_the_other_clips(fault: str) -> None:
    video = clips()
    alone = with_fault(video[4:5], fault, 0.7, IDS[4:5])
    assert torch.equal(alone[0], with_fault(video, fault, 0.7, IDS)[4])


def test_an_unknown_fault_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'shuffle'"):
        with_fault(clips(), "shufle", 0.5, IDS)


@pytest.mark.parametrize("name", ["shuffle", "drop"])
def test_frames_are_moved_or_held_and_nothing_else(name: str) -> None:
    numbered = torch.arange(8.0).view(8, 1, 1, 1).expand(8, 3, 2, 2)
    shown = {}
    for strength in (0.0, 1.0):
        found = FAULTS[name](numbered, strength, generator_for("frames", name))[:, 0, 0, 0].int().tolist()
        shown[strength] = found
        assert set(found) <= set(range(8))
    weak = sum(a != b for a, b in zip(shown[0.0], range(8), strict=True))
    strong = sum(a != b for a, b in zip(shown[1.0], range(8), strict=True))
    assert weak < strong
    if name == "shuffle":
        assert weak == 2  # one exchange
        assert sorted(shown[1.0]) == list(range(8))
    else:
        assert weak == 1
        assert shown[1.0] == sorted(shown[1.0])
        assert strong == 6


def test_no_colour_is_grey() -> None:
    grey = distortions.colour(clips()[0].float(), 1.0, generator_for("colour"))
    torch.testing.assert_close(grey[:, 0], grey[:, 2], rtol=0, atol=1e-4)


def test_collapse_leaves_five_clips() -> None:
    video = clips()
    assert len({clip.numpy().tobytes() for clip in collapse(video, 1.0)}) == 5
    assert sum(not torch.equal(a, b) for a, b in zip(collapse(video, 0.0), video, strict=True)) <= 2


@pytest.mark.parametrize(("strength", "moved"), [(0.0, 2), (1.0, 10)])
def test_captions_go_to_other_clips(strength: float, moved: int) -> None:
    captions = [f"caption {i}" for i in range(10)]
    swapped = swap_captions(captions, strength)
    assert sorted(swapped) == captions
    assert sum(a != b for a, b in zip(swapped, captions, strict=True)) == moved
