"""The shell's way to a sticker: what is asked for, read and refused before a model is loaded."""

from pathlib import Path

import pytest
import torch
from PIL import Image

from rdtf_bench import cli
from rdtf_bench.core.errors import DataError, DeviceError, InputError, StoreError
from rdtf_bench.core.store import Store, write_text
from rdtf_bench.run import generate
from rdtf_bench.run.protocols import load_table
from rdtf_bench.run.table.context import cells_of
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


def test_a_still_picture_before_an_animation_is_none_of_its_frames(tmp_path: Path) -> None:
    still, *frames = (Image.new("RGB", (8, 8), (60 * number, 0, 0)) for number in range(4))
    still.save(tmp_path / "a.png", save_all=True, append_images=frames, default_image=True)
    assert reds(generate.read_images([tmp_path / "a.png"], 8)) == [60, 120, 180]
    assert reds(generate.read_images([tmp_path / "a.png"] * 2, 8)) == [60, 60]


def test_a_photograph_is_a_frame(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8), (200, 0, 0)).save(tmp_path / "a.jpg", quality=100)
    assert reds(generate.read_images([tmp_path / "a.jpg"], 8)) == pytest.approx([200], abs=3)  # JPEG's own rounding


def test_a_file_that_is_no_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("no image")
    Image.new("RGB", (64, 64), (200, 0, 0)).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:60])
    for name in ("note.txt", "absent.png", "cut.png"):
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


@pytest.mark.parametrize("flags", [["--table", "table1"], ["--scale", "tiny", "--store", "runs"], ["--data", "asg=x"]])
def test_what_says_which_rdtf_of_a_store_is_refused_beside_a_saved_one(
    flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["rdtf-bench", "generate", "--prompt", "x", "--model", str(tmp_path), *flags])
    with pytest.raises(SystemExit) as e:
        cli.main()
    assert e.value.code == 2
    said = " ".join("".join(capsys.readouterr()).split())
    assert f"{', '.join(flags[::2])} beside --model: a saved model belongs to no store" in said


def test_the_environments_store_may_stand_beside_a_saved_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RDTF_BENCH_STORE", str(tmp_path))
    monkeypatch.setattr("sys.argv", ["rdtf-bench", "generate", "--prompt", "x", "--model", str(tmp_path)])
    with pytest.raises(SystemExit) as e:
        cli.main()
    assert e.value.code == StoreError.exit_status
    assert "has no model_index.json" in " ".join("".join(capsys.readouterr()).split())


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_a_scale_for_a_gpu_is_refused_where_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="scale gpu runs on a CUDA device"):
        generate.from_store("table1", load_scale("gpu"), None, tmp_path)


def test_what_is_not_trained_yet_and_a_table_without_rdtf_are_said(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="rdtf-bench run table1 --scale tiny"):
        generate.from_store("table1", load_scale("tiny"), None, tmp_path)
    with pytest.raises(InputError, match="ablate-baselines has no row of rdtf"):
        generate.from_store("ablate-baselines", load_scale("tiny"), None, tmp_path)


def test_the_command_that_trains_has_the_data_and_the_store(tmp_path: Path, stickers: str) -> None:
    tiny = load_scale("tiny")
    scale = tiny.model_copy(update={"clip": tiny.clip.model_copy(update={"num_frames": 4})})
    with pytest.raises(StoreError, match=f"--scale tiny --data asg={stickers} --store {tmp_path / 'store'}, or"):
        generate.from_store("table1", scale, stickers, tmp_path / "store")


def test_damaged_weights_are_named_with_the_command_that_trains_them(tmp_path: Path) -> None:
    _, cells = cells_of(load_table("table1"), load_scale("tiny"), None, tmp_path)
    key = next(cell.fit_key for cell in cells if cell.method == generate.METHOD)
    entry = Store(tmp_path).make("fit", key, lambda folder: write_text(folder / "weights", "weights"))
    (entry / "weights").write_text("other")
    with pytest.raises(StoreError, match="has other bytes.* Train it again: rdtf-bench run table1 --scale tiny"):  # noqa: RUF043
        generate.from_store("table1", load_scale("tiny"), None, tmp_path)
