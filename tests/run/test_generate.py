"""The shell's way to a sticker: what is asked for, read and refused before a model is loaded."""

from pathlib import Path

import pytest
from PIL import Image

from rdtf_bench.core.errors import DataError, InputError, StoreError
from rdtf_bench.run import generate
from rdtf_bench.spec.load import load_scale


def animation(path: Path, num_frames: int) -> Path:
    frames = [Image.new("RGB", (8, 8), (20 * number, 0, 0)) for number in range(num_frames)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100, loop=0)
    return path


def reds(frames: list[Image.Image]) -> list[int]:
    return [frame.convert("RGB").getpixel((0, 0))[0] for frame in frames]  # type: ignore[index]


def test_a_mask_is_written_as_zeros_and_ones() -> None:
    assert generate.read_mask("1001") == [1, 0, 0, 1]
    assert generate.read_mask(None) is None
    for text in ("", "1021", "yes"):
        with pytest.raises(InputError, match="is no mask"):
            generate.read_mask(text)


def test_an_animation_stands_for_frames_at_equal_intervals_and_files_for_one_each(tmp_path: Path) -> None:
    long, short = animation(tmp_path / "long.gif", 10), animation(tmp_path / "short.gif", 3)
    assert reds(generate.read_images([long], 5)) == [0, 40, 80, 120, 160]
    assert reds(generate.read_images([short], 5)) == [0, 20, 40]
    assert reds(generate.read_images([long, short], 5)) == [0, 0]


def test_a_file_that_is_no_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("no image")
    for name in ("note.txt", "absent.png"):
        with pytest.raises(DataError, match=name):
            generate.read_images([tmp_path / name], 8)


def test_a_sticker_loops_at_the_speed_asked_for(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), (20 * number, 0, 0)) for number in range(4)]
    generate.write_gif(frames, tmp_path / "new" / "sticker.gif", duration_ms=80)
    with Image.open(tmp_path / "new" / "sticker.gif") as gif:
        assert (gif.n_frames, gif.info["loop"], gif.info["duration"]) == (4, 0, 80)  # type: ignore[attr-defined]


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"has no model_index\.json"):
        generate.from_folder(tmp_path)
    (tmp_path / "model_index.json").write_text('{"_class_name": "I2VGenXLPipeline"}')
    with pytest.raises(StoreError, match="holds a I2VGenXLPipeline"):
        generate.from_folder(tmp_path)


def test_what_is_not_trained_yet_and_a_table_without_rdtf_are_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="rdtf-bench run table1 --scale tiny"):
        generate.from_store("table1", load_scale("tiny"), None, tmp_path)
    with pytest.raises(InputError, match="ablate-baselines has no row of rdtf"):
        generate.from_store("ablate-baselines", load_scale("tiny"), None, tmp_path)
