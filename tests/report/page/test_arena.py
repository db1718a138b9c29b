import json
import re
from pathlib import Path
from typing import Any

import pytest

from rdtf_bench.report.page.arena import write
from rdtf_bench.run.arena.make import Material
from tests.arenas import RANKS, material


@pytest.fixture
def drawn(tmp_path: Path) -> Material:
    return material(tmp_path / "store")


@pytest.fixture
def text(drawn: Material, tmp_path: Path) -> str:
    return write(drawn, tmp_path / "arena.html").read_text(encoding="utf-8")


def content(text: str) -> dict[str, Any]:
    """Return what the script of the page reads."""
    found = re.search('<script type="application/json" id="page">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    read: dict[str, Any] = json.loads(found[1])
    return read


def test_no_name_of_a_row_and_no_key_of_its_samples_stands_in_the_page(text: str, drawn: Material) -> None:
    words = re.sub("data:image/webp;base64,[A-Za-z0-9+/=]+", "", text).casefold()
    methods = ["rdtf", "simda", "i2v_adapter", "customize_a_video"]
    for hidden in [*RANKS, *methods, *drawn.arena.samples.values()]:
        assert hidden.casefold() not in words


def test_the_page_asks_every_question_about_pictures_that_it_holds(text: str, drawn: Material) -> None:
    page = content(text)
    assert page["arena"] == drawn.arena.id
    assert [tuple(asked["order"]) for asked in page["questions"]] == [asked.order for asked in drawn.questions]
    assert set(page["sprites"]) == {key for asked in drawn.questions for key in asked.order}
    assert all(uri.startswith("data:image/webp;base64,") for uri in page["sprites"].values())
    assert {clip["num_known"] for clip in page["clips"].values()} == {1}
    assert page["num_frames"] == 8


def test_the_order_of_the_pictures_is_that_of_their_keys(text: str) -> None:
    keys = list(content(text)["sprites"])
    assert keys == sorted(keys)


def test_captions_cannot_end_the_script(text: str, drawn: Material) -> None:
    clip = drawn.arena.clips[0]
    assert clip.caption not in text
    assert content(text)["clips"][clip.id]["caption"] == clip.caption


def test_the_page_loads_nothing_from_elsewhere(text: str) -> None:
    assert not re.search(r"https?:|<link|<script src|@import|url\(", text)
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in text
