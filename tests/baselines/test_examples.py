"""Which masks a baseline is tuned for, which frames it takes, and what is withheld."""

import torch

from rdtf_bench.baselines import simda
from rdtf_bench.baselines.i2vgen_xl.examples import collect, training_masks
from rdtf_bench.core.video import to_unit
from rdtf_bench.data.frames import whole_loop
from rdtf_bench.diffusion.masks import prediction_masks
from tests.baselines.small_base import FIRST, Build, Clips, training


def test_from_an_image_means_from_the_first_frame() -> None:
    assert training_masks("it2v", 8) == (FIRST,)
    assert training_masks("prediction", 8) == prediction_masks(8)


def test_frames_are_at_equal_intervals_or_ping_pong(build: Build, clips: Clips) -> None:
    examples = collect(build(simda).parts, simda.Config(text_tokens=8), clips, training())
    assert examples.latents.shape == (10, 4, 8, 8, 8)
    for index in (0, 9):  # 3 and 12 frames
        latents = clips.latents(index)
        chosen = list(whole_loop(len(latents), 8))
        assert torch.equal(examples.latents[index].movedim(0, 1), latents[chosen])


def test_the_image_embedding_is_that_of_the_first_known_frame(build: Build, clips: Clips) -> None:
    method = build(simda)
    examples = collect(method.parts, method.config, clips, training(task="interpolation"))
    known = torch.tensor([(0, 1, 0, 1, 0, 1, 0, 1)], dtype=torch.float32)
    frames = clips.frames(9)
    number = whole_loop(len(frames), 8)[1]
    expected = method.parts.embed_images(to_unit(frames[None, number : number + 1])[0])
    found = examples.images((9,), known, torch.tensor([False]))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)  # embedded in a batch of another size


def test_caption_and_image_embedding_are_withheld_together(build: Build, clips: Clips) -> None:
    method = build(simda)
    examples = collect(method.parts, method.config, clips, training())
    known = torch.tensor([FIRST, FIRST], dtype=torch.float32)
    dropped = torch.tensor([True, False])
    empty, given = examples.texts((1, 1), dropped)
    assert torch.equal(empty, examples.no_caption)
    assert torch.equal(given, method.parts.encode_captions(["", "a cat runs", "a dog"], method.config)[1])
    no_image, image = examples.images((1, 1), known, dropped)
    assert not no_image.any()
    assert image.any()


def test_a_task_without_text_trains_without_captions(build: Build, clips: Clips) -> None:
    parts, config = build(simda).parts, simda.Config(text_tokens=8)
    examples = collect(parts, config, clips, training(task="i2v"))
    assert torch.equal(examples.caption_states, parts.encode_captions([""], config))
