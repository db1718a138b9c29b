from types import ModuleType

import pytest
import torch

from rdtf_bench.data.toy import movers as toy_movers
from rdtf_bench.data.toy import scenes as toy_scenes
from rdtf_bench.data.toy import stickers as toy_stickers

both_halves = pytest.mark.parametrize("half", [toy_scenes, toy_movers], ids=["scenes", "movers"])


@both_halves
def test_a_clip_depends_on_seed_and_index_alone(half: ModuleType) -> None:
    first, caption = half.clip(5, seed=0)
    half.clip(6, seed=0)
    again, same = half.clip(5, seed=0)
    assert torch.equal(first, again)
    assert caption == same
    assert not torch.equal(first, half.clip(5, seed=1)[0])


@both_halves
def test_shape_and_type_follow_the_arguments(half: ModuleType) -> None:
    clip, _ = half.clip(0, seed=0, num_frames=5, size_px=48)
    assert clip.shape == (5, 3, 48, 48)
    assert clip.dtype == torch.uint8


def test_every_scene_and_move_occurs_and_every_clip_moves_smoothly() -> None:
    captions, ratios = set(), []
    for index in range(300):
        clip, caption = toy_scenes.clip(index, seed=0, size_px=48)
        captions.add(caption)
        frames = clip.float()
        steps = (frames[1:] - frames[:-1]).abs().mean(dim=(1, 2, 3))
        assert steps.min() > 0
        ratios.append(float((frames[-1] - frames[0]).abs().mean() / steps.mean()))
    # flicker would give 1: here seven steps in one direction add up, as far as the texture's own contrast allows
    assert min(ratios) > 1
    assert sum(ratios) / len(ratios) > 2
    scenes = {scene for scene in toy_scenes.SCENES for caption in captions if caption.endswith(scene)}
    moves = {text for text in toy_scenes.MOVES for caption in captions if caption.startswith(text.split(" {")[0])}
    assert scenes == set(toy_scenes.SCENES)
    assert moves == set(toy_scenes.MOVES)


def test_panning_right_moves_the_picture_left() -> None:
    text = "a camera pans right over"
    index = next(i for i in range(200) if toy_scenes.clip(i, seed=0, size_px=16)[1].startswith(text))
    clip = toy_scenes.clip(index, seed=0)[0].float()
    errors = {
        shift: float((clip[0, :, 10:-10, 20:-20] - clip[1].roll(shift, dims=2)[:, 10:-10, 20:-20]).abs().mean())
        for shift in range(-12, 13)
    }
    assert min(errors, key=errors.__getitem__) > 0  # frame 1 must go right to lie on frame 0


def test_no_sticker_is_in_the_source_domain() -> None:
    words = {
        word for caption in (toy_scenes.clip(i, seed=0, size_px=16)[1] for i in range(50)) for word in caption.split()
    }
    assert not words & {*toy_stickers.SHAPES, *(action.split()[0] for action in toy_stickers.ACTIONS)}
