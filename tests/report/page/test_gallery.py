import pytest

from rdtf_bench.core.store import Store
from rdtf_bench.report.page.gallery import gallery, real_clips, within
from rdtf_bench.report.page.table_page import Contents
from rdtf_bench.run.inputs.clips import RealClips


@pytest.fixture
def real(contents: Contents) -> RealClips:
    found = real_clips(contents.cells, contents.store)
    assert found is not None
    return found


def test_a_prompt_has_the_real_clip_first_and_then_the_rows_that_made_one(contents: Contents, real: RealClips) -> None:
    found = gallery(contents.cells, real, contents.store, task="it2v")
    prompt = found.prompts[2]
    assert (prompt.clip_id, prompt.caption) == ("asg/test/00002", "a green heart")
    assert [(clip.label, clip.kind) for clip in prompt.clips] == [
        ("real clip", "truth"),
        ("Customize-A-Video", "method"),
        ("I2V-Adapter", "method"),
        ("RDTF", "method"),
        ("static", "control"),
        ("autoencoder", "control"),
    ]
    assert found.absent == ("SimDA",)
    assert (found.num_clips, found.num_frames) == (6, 8)


def test_known_frames_are_those_of_the_masks_that_take_turns(contents: Contents, real: RealClips) -> None:
    first_frame = (1, 0, 0, 0, 0, 0, 0, 0)
    assert {prompt.known for prompt in gallery(contents.cells, real, contents.store, task="it2v").prompts} == {
        first_frame
    }
    of_two = gallery(contents.cells, real, contents.store, task="prediction").prompts
    masks = ((1, 1, 1, 1, 1, 0, 0, 0), (0, 0, 1, 1, 1, 1, 1, 1))  # Table 7
    assert [prompt.known for prompt in of_two] == [masks[place % 2] for place in range(6)]


def test_too_many_bytes_leave_prompts_out_at_equal_intervals(contents: Contents, real: RealClips) -> None:
    prompts = gallery(contents.cells, real, contents.store, task="it2v").prompts
    size = max(sum(len(clip.sprite.uri) for clip in prompt.clips) for prompt in prompts)
    assert within(prompts, 6 * size) == list(prompts)
    assert [prompt.place for prompt in within(prompts, 3 * size)] == [0, 2, 4]
    assert [prompt.place for prompt in within(prompts, 1)] == [0]


def test_a_store_without_the_test_clips_has_none(contents: Contents) -> None:
    assert real_clips(contents.cells, Store(contents.store.root / "elsewhere")) is None
