from pathlib import Path

import pytest

from rdtf_bench.data.reading.folders.inspection import inspect
from rdtf_bench.data.reading.videos.containers import require_whole
from tests.data.reading.videos.test_video import drawn
from tests.data.videos import write_video

FRAGMENTS = "frag_keyframe+empty_moov+default_base_moof"


def fragmented(path: Path, flags: str = FRAGMENTS) -> bytes:
    """Write a fragment for every two frames, and return the bytes of the file."""
    options = {"crf": "0", "g": "2"}
    return write_video(path, drawn(), options=options, container_options={"movflags": flags}).read_bytes()


def test_a_fragmented_mp4_that_is_cut_off_inside_a_part_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    data = fragmented(path)
    assert inspect(path).num_frames == 8
    third = data.index(b"moof", data.index(b"moof", data.index(b"moof") + 4) + 4) - 4
    for length in (third - 1, third + 1, third + 7, third + 9, len(data) - 1):
        path.write_bytes(data[:length])
        with pytest.raises(ValueError, match="cut off"):
            require_whole(path)


def test_a_fragmented_mp4_with_an_index_may_not_be_cut_off_between_fragments_either(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    data = fragmented(path, f"{FRAGMENTS}+dash+global_sidx")
    require_whole(path)
    path.write_bytes(data[: data.rindex(b"moof") - 4])
    with pytest.raises(ValueError, match="cut off"):
        require_whole(path)


def test_what_is_no_part_is_damage_between_fragments_and_else_was_appended(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    data = fragmented(path)
    path.write_bytes(data[: data.rindex(b"moof")] + bytes(4) + data[data.rindex(b"moof") + 4 :])
    with pytest.raises(ValueError, match=r"damaged: at byte \d+ is no part"):
        require_whole(path)
    write_video(path, drawn())
    path.write_bytes(path.read_bytes() + b"appended by a camera")
    assert inspect(path).num_frames == 8
