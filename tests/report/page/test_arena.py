import json
import re
from pathlib import Path
from typing import Any

import pytest

from rdtf_bench.report.page.arena import write
from rdtf_bench.run.arena.make import Material
from rdtf_bench.run.arena.votes import count_in
from tests.arenas import RANKS, material
from tests.browser import needs_chromium, probed


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


FILL_IN = """
  const byId = (id) => document.getElementById(id);
  const press = (key) => document.body.dispatchEvent(new KeyboardEvent("keydown", {key, bubbles: true}));
  const motion = byId("play").textContent;
  byId("rater").value = " Anna ";
  byId("name-form").requestSubmit();
  press("Enter");
  const refused = byId("said").textContent;
  const images = [...document.querySelectorAll("#ranking img")];
  await Promise.all(images.map((image) => image.decode()));
  const asked = [];
  for (let turn = 0; turn < 50 && !byId("ranking").hidden; turn++) {
    asked.push(byId("question").textContent);
    for (const rank of "1224") press(rank);
    press("Enter");
  }
  byId("change").click();
  const last = [...document.querySelectorAll("#candidates input:checked")].map((input) => Number(input.value));
  document.querySelector("#candidates .candidate:nth-child(2) input").click();
  byId("next").click();
  let kept = null;
  try { kept = JSON.parse(Object.values(localStorage)[0]); } catch { /* forbidden */ }
  return {motion, refused, images: images.length, asked, last, kept, text: byId("text").value,
    hint: byId("kept").textContent};
"""


@needs_chromium
def test_a_rater_fills_in_the_page_by_keyboard_and_the_export_is_counted(drawn: Material, tmp_path: Path) -> None:
    page = write(drawn, tmp_path / "arena.html")
    found = probed(page, FILL_IN, folder=tmp_path, flags=["--force-prefers-reduced-motion"])
    assert found["faults"] == []
    assert found["refused"] == "Please give a rank to clip A, B, C, D."
    assert found["images"] == 4 + 1
    assert found["motion"] == "Play"
    questions = {criterion.name: criterion.question for criterion in drawn.arena.criteria}
    assert found["asked"] == [questions[asked.criterion] for asked in drawn.questions]
    assert found["last"] == [1, 2, 2, 4]
    votes = tmp_path / "votes-Anna.json"
    votes.write_text(found["text"], encoding="utf-8")
    (ballot,) = count_in([votes], arena=drawn.arena, root=tmp_path).ballots
    assert ballot.rater == "Anna"
    typed = [dict(zip(asked.order, (1, 2, 2, 4), strict=True)) for asked in drawn.questions]
    typed[-1][drawn.questions[-1].order[1]] = 1  # the answer that was changed
    assert [vote.ranks for vote in ballot.votes] == typed
    assert found["kept"] == {"rater": "Anna", "ranks": typed}


@needs_chromium
def test_a_browser_that_keeps_nothing_says_so_and_works(drawn: Material, tmp_path: Path) -> None:
    page = write(drawn, tmp_path / "arena.html")
    found = probed(page, FILL_IN, folder=tmp_path, flags=["--disable-local-storage"])
    assert found["faults"] == []
    assert found["kept"] is None
    assert found["hint"].startswith("This browser does not keep your answers.")
    assert found["motion"] == "Pause"
    assert len(json.loads(found["text"])["votes"]) == len(drawn.questions)
