"""The dual mask: which frames of a sticker a training step sees, which are given and which count."""

from collections.abc import Sequence

import pytest
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from rdtf_bench.core.errors import DataError
from rdtf_bench.data.frames import Representative
from rdtf_bench.diffusion.objective import Drawn
from rdtf_bench.models.rdtf.curriculum import Case
from rdtf_bench.models.rdtf.dual_mask import (
    Choice,
    Extraction,
    MaskedClips,
    Padding,
    masked_clips,
)

GREY = torch.full((2, 3, 3), -7.0)


class Stickers:
    """Every latent holds its frame's number; frames look alike in groups of three."""

    ids = ("short", "long")
    captions = ("a", "b")
    shard_sizes = (2,)

    def latents(self, index: int) -> Float[Tensor, "F C H W"]:
        count = (2, 12)[index]
        return torch.arange(count, dtype=torch.float32)[:, None, None, None].expand(count, 2, 3, 3)

    def features(self, index: int) -> Float[Tensor, "F D"]:
        count = (2, 12)[index]
        return torch.nn.functional.one_hot(torch.arange(count) // 3, 4).float() + 0.001 * torch.arange(count)[:, None]

    def keyframes(self, index: int) -> Sequence[int]:
        return ((), (1, 4, 6, 9))[index]

    def frames(self, index: int, places: Sequence[int]) -> UInt8[Tensor, "F C H W"]:  # noqa: ARG002
        pytest.fail(f"the frames of sticker {index} were read: latents and features are enough")


def extracted(
    index: int, count: int, *, choice: Choice = "clusters", representative: Representative = "random"
) -> list[int]:
    extraction = Extraction(Stickers(), choice=choice, representative=representative)
    return list(extraction.frames(index, count, torch.Generator().manual_seed(0)))


def masked(cases: list[Case], *, padding: Padding = "grey") -> MaskedClips:
    stickers = Stickers()
    return masked_clips(
        [Drawn(index=1, generator=torch.Generator().manual_seed(0)) for _ in cases],
        cases,
        latents_of=lambda index, places, _: stickers.latents(index)[list(places)],
        num_frames=8,
        extraction=Extraction(stickers, choice="clusters", representative="first"),
        padding=padding,
        grey=GREY,
    )


def test_clustering_takes_one_frame_a_group_in_order() -> None:
    assert extracted(1, 4, representative="first") == [0, 3, 6, 9]
    assert [frame // 3 for frame in extracted(1, 4)] == [0, 1, 2, 3]


def test_without_data_utilization_frames_are_at_equal_intervals() -> None:
    assert extracted(1, 8, choice="intervals") == [0, 1, 3, 4, 6, 7, 9, 10]


@pytest.mark.parametrize("choice", ["clusters", "intervals"])
def test_a_shorter_sticker_goes_back_and_forth(choice: Choice) -> None:
    assert extracted(0, 5, choice=choice) == [0, 1, 0, 1, 0]


def test_the_first_k_frames_count_and_the_rest_is_padding() -> None:
    clips = masked([Case(task="it2v", known=(0, 1, 0)), Case(task="t2v", known=(0,) * 8)])
    assert clips.counted.tolist() == [[1] * 3 + [0] * 5, [1] * 8]
    assert clips.known.tolist() == [[0, 1] + [0] * 6, [0] * 8]
    assert (clips.latents[0, 3:] == GREY).all()
    assert (clips.latents[0, :3] >= 0).all()


def test_padding_may_repeat_the_last_frame() -> None:
    clips = masked([Case(task="it2v", known=(0, 1, 0))], padding="last")
    assert len(set(clips.latents[0, 2:, 0, 0, 0].tolist())) == 1


def test_offline_extraction_takes_the_key_frames_of_the_data() -> None:
    assert Extraction(Stickers(), choice="offline", representative="random").available(1) == 4
    assert extracted(1, 4, choice="offline") == [1, 4, 6, 9]
    assert extracted(1, 2, choice="offline") == [1, 6]
    assert extracted(1, 6, choice="offline") == [1, 4, 6, 9, 6, 4]  # back and forth
    with pytest.raises(DataError, match=r"short: the data names no key frames of this clip .* or choose clusters"):
        extracted(0, 2, choice="offline")
