from pathlib import Path

import pytest
from PIL import Image

from rdtf_bench.core.errors import ProtocolError, StoreError
from rdtf_bench.run.figures import plan
from rdtf_bench.run.protocols import load_scale


def write_clip(path: Path, num_frames: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    frames = [Image.new("RGB", (8, 8), (30 * number, 0, 0)) for number in range(num_frames)]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100)


def test_the_key_follows_what_decides_the_figure(tmp_path: Path) -> None:
    tiny, small = load_scale("tiny"), load_scale("small")
    counts, draws = plan.load("figure3"), plan.load("figure5")
    key = plan.plan(counts, tiny, None, tmp_path).key
    assert plan.plan(counts, small, None, tmp_path).key == key
    assert plan.plan(counts.model_copy(update={"notes": ("x",), "title": "y"}), tiny, None, tmp_path).key == key
    assert plan.plan(counts.model_copy(update={"version": 2}), tiny, None, tmp_path).key != key
    assert plan.plan(draws, tiny, None, tmp_path).key != plan.plan(draws, small, None, tmp_path).key
    write_clip(tmp_path / "mine" / "a.gif", 3)
    mine = plan.plan(counts, tiny, str(tmp_path / "mine"), tmp_path).key
    write_clip(tmp_path / "mine" / "b.gif", 4)
    assert len({key, mine, plan.plan(counts, tiny, str(tmp_path / "mine"), tmp_path).key}) == 3


def test_a_figure_that_is_not_drawn_says_how_to_draw_it(tmp_path: Path) -> None:
    planned = plan.plan(plan.load("figure3"), load_scale("tiny"), None, tmp_path)
    with pytest.raises(StoreError, match=r"figure3 has not been drawn.*Run: rdtf-bench run figure3 --scale tiny"):
        planned.rows()


def test_a_row_without_a_curriculum_is_refused(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("extends: figure5\nname: mine\ncurriculum: {row: SimDA}\n")
    with pytest.raises(ProtocolError, match=r"table1 has no row 'SimDA' with a curriculum. It has: RDTF"):
        plan.load(str(mine))


def test_bins_and_values_must_fit(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("extends: figure3\nname: mine\nframe_counts: {largest: [10, 20]}\n")
    with pytest.raises(ProtocolError, match="2 bins and that of longer clips need 3 values, and there are 15"):
        plan.load(str(mine))


def test_a_figure_draws_one_thing(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("extends: figure3\nname: mine\nframe_counts: null\n")
    with pytest.raises(ProtocolError, match="exactly one of frame_counts, extraction and curriculum"):
        plan.load(str(mine))
