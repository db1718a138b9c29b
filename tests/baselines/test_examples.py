"""Which masks a baseline is tuned for, which frames it takes, and what is withheld."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from rdtf_bench.baselines import simda
from rdtf_bench.baselines.i2vgen_xl.examples import Examples, training_masks
from rdtf_bench.core.video import to_unit
from rdtf_bench.data.frames import whole_loop
from rdtf_bench.diffusion.masks import prediction_masks
from tests.baselines.small_base import FIRST, Build, Clips, training


def test_from_an_image_means_from_the_first_frame() -> None:
    assert training_masks("it2v", 8) == (FIRST,)
    assert training_masks("prediction", 8) == prediction_masks(8)


def test_frames_are_at_equal_intervals_or_ping_pong(build: Build, clips: Clips) -> None:
    examples = Examples(build(simda).parts, simda.Config(text_tokens=8), clips, training())
    assert examples.latents(range(10)).shape == (10, 4, 8, 8, 8)
    for index in (0, 9):  # 3 and 12 frames
        latents = clips.latents(index)
        chosen = list(whole_loop(len(latents), 8))
        assert torch.equal(examples.latents([index])[0].movedim(0, 1), latents[chosen])


def test_the_image_embedding_is_that_of_the_first_known_frame(build: Build, clips: Clips) -> None:
    method = build(simda)
    examples = Examples(method.parts, method.config, clips, training(task="interpolation"))
    known = torch.tensor([(0, 1, 0, 1, 0, 1, 0, 1)], dtype=torch.float32)
    number = whole_loop(12, 8)[1]
    expected = method.parts.embed_images(to_unit(clips.frames(9, [number])[None])[0])
    assert torch.equal(examples.images((9,), known, torch.tensor([False])), expected)


def test_caption_and_image_embedding_are_withheld_together(build: Build, clips: Clips) -> None:
    method = build(simda)
    examples = Examples(method.parts, method.config, clips, training())
    known = torch.tensor([FIRST, FIRST], dtype=torch.float32)
    dropped = torch.tensor([True, False])
    empty, given = examples.texts((1, 1), dropped)
    assert torch.equal(empty, examples.no_caption)
    assert torch.equal(given, method.parts.encode_captions(["a cat runs"], method.config)[0])
    no_image, image = examples.images((1, 1), known, dropped)
    assert not no_image.any()
    assert image.any()


def test_a_task_without_text_trains_without_captions(build: Build, clips: Clips) -> None:
    parts, config = build(simda).parts, simda.Config(text_tokens=8)
    examples = Examples(parts, config, clips, training(task="i2v"))
    assert torch.equal(examples.texts((1,), torch.tensor([False])), parts.encode_captions([""], config))


def test_what_recurs_is_encoded_once_and_what_is_dropped_is_not(
    build: Build, clips: Clips, monkeypatch: pytest.MonkeyPatch
) -> None:
    method = build(simda)
    examples = Examples(method.parts, method.config, clips, training())
    encoded: list[str] = []
    pictures: list[int] = []
    encode, frames = method.parts.encode_captions, clips.frames

    def noted_captions(_: object, captions: Sequence[str], config: simda.Config) -> Tensor:
        encoded.extend(captions)
        return encode(captions, config)

    def noted_frames(index: int, places: Sequence[int]) -> Tensor:
        pictures.append(index)
        return frames(index, places)

    monkeypatch.setattr(type(method.parts), "encode_captions", noted_captions)
    monkeypatch.setattr(clips, "frames", noted_frames)
    known = torch.tensor([FIRST] * 3, dtype=torch.float32)
    dropped = torch.tensor([False, True, False])
    first = examples.texts((1, 0, 3), dropped), examples.images((1, 0, 3), known, dropped)
    again = examples.texts((1, 0, 3), dropped), examples.images((1, 0, 3), known, dropped)
    assert all(map(torch.equal, first, again))
    assert encoded == ["a cat runs"]  # clips 1 and 3 share it
    assert pictures == [1, 3]
