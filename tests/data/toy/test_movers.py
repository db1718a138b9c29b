import pytest

from rdtf_bench.data.toy import movers as toy_movers
from rdtf_bench.data.toy import scenes as toy_scenes
from rdtf_bench.data.toy import stickers as toy_stickers


def test_every_thing_motion_and_place_occurs_and_every_clip_moves() -> None:
    captions = []
    for index in range(300):
        clip, caption = toy_movers.clip(index, seed=0, size_px=32)
        captions.append(caption)
        assert (clip.float()[1:] - clip.float()[:-1]).abs().mean(dim=(1, 2, 3)).max() > 0
    for words in (toy_movers.THINGS, toy_movers.MOTIONS, toy_movers.SKIES, toy_scenes.SCENES):
        assert all(any(f" {word}" in caption for caption in captions) for word in words)


@pytest.mark.parametrize(("words", "returns"), [("drifts to the left", False), ("bounces", True)])
def test_a_motion_that_returns_ends_nearer_to_its_start_than_it_was_half_way(words: str, returns: bool) -> None:
    index = next(i for i in range(300) if f"{words} over a pale sky" in toy_movers.clip(i, seed=0, size_px=16)[1])
    frames = toy_movers.clip(index, seed=0)[0].float()
    from_start = (frames - frames[0]).abs().mean(dim=(1, 2, 3))
    assert bool(from_start[-1] < from_start[4]) is returns


def test_no_sticker_is_in_the_source_domain() -> None:
    words = {word for i in range(100) for word in toy_movers.clip(i, seed=0, size_px=16)[1].split()}
    assert not words & {*toy_stickers.SHAPES, *(action.split()[0] for action in toy_stickers.ACTIONS)}
