"""The page of a table, read as text and used in a browser."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rdtf_bench.core.errors import AssetError
from rdtf_bench.core.store import Store
from rdtf_bench.report.page.table_page import Contents, command, page, summary
from rdtf_bench.run import per_clip
from tests.browser import needs_chromium, probed

USE = """
  const all = (selector) => [...document.querySelectorAll(selector)];
  const change = (id, value, kind) => {
    document.getElementById(id).value = value;
    document.getElementById(id).dispatchEvent(new Event(kind));
  };
  const seen = (selector) => all(selector).filter((item) => !item.hidden);
  const prompts = () => seen(".prompt").map((prompt) => prompt.querySelector("h3").textContent);
  const column = () => seen("table.sortable tbody tr").map((row) => row.cells[1].textContent);
  const found = {playing: document.getElementById("play").textContent};
  for (const picture of all("img")) picture.loading = "eager";
  await Promise.all(all("img").map((picture) => picture.decode()));
  found.pictures = all("img").map((picture) => picture.naturalWidth);
  found.wide = document.documentElement.scrollWidth > window.innerWidth;
  change("frame", "3", "input");
  found.frame = [document.body.dataset.frame, document.getElementById("frame-number").textContent];
  found.paused = document.getElementById("play").textContent;
  found.places = [...new Set(all(".clips img").map((picture) => getComputedStyle(picture).objectPosition))];
  change("order", "0:RDTF:worst", "change");
  found.worst = prompts();
  change("order", "0:real clip:best", "change");
  found.best = prompts();
  change("order", "", "change");
  found.original = prompts();
  all("table.sortable th button")[1].click();
  found.rising = column();
  all("table.sortable th button")[1].click();
  found.falling = column();
  change("filter", "HEART ", "input");
  found.hearts = [prompts(), column(), document.getElementById("count").textContent];
  return found;
"""


@pytest.fixture
def written(contents: Contents, tmp_path: Path) -> Path:
    path = tmp_path / "page.html"
    path.write_text(page(contents), encoding="utf-8")
    return path


@needs_chromium
def test_a_person_can_play_order_sort_and_filter_the_clips(written: Path, tmp_path: Path) -> None:
    found: dict[str, Any] = probed(written, USE, folder=tmp_path)
    assert found["faults"] == []
    assert 0 not in found["pictures"]
    assert not found["wide"]
    assert (found["playing"], found["paused"]) == ("Pause", "Play")
    assert found["frame"] == ["3", "4 / 8"]
    (place,) = found["places"]
    assert float(place.partition("%")[0]) == pytest.approx(100 * 3 / 7, abs=0.01)
    in_order = ["a red star", "a <b>blue</b> star", "a green heart", "a pink heart", "a brown square", 'a "cat" & more']
    assert found["original"] == in_order
    assert found["worst"] == [in_order[place] for place in (1, 3, 0, 5, 4, 2)]
    assert found["best"] == in_order
    assert found["rising"] == ["0.100", "0.200", "0.300", "0.400", "0.500", "0.600"]
    assert found["falling"] == found["rising"][::-1]
    assert found["hearts"] == [["a green heart", "a pink heart"], ["0.600", "0.200"], "2 prompts"]


@needs_chromium
def test_clips_stand_still_at_first_where_motion_is_to_be_reduced(written: Path, tmp_path: Path) -> None:
    script = 'return {button: document.getElementById("play").textContent, frame: document.body.dataset.frame};'
    found = probed(written, script, folder=tmp_path, flags=["--force-prefers-reduced-motion"])
    assert found == {"button": "Play", "frame": "7", "faults": []}


def test_the_page_loads_nothing_from_elsewhere(written: Path) -> None:
    text = written.read_text(encoding="utf-8")
    sources = re.findall(r'\b(?:src|srcset)="([^"]*)"', text)
    assert sources
    assert all(source.startswith("data:image/") for source in sources)
    assert "http" not in re.sub(r'data:image/[^"]*', "", text)
    assert not re.findall("<link|@import|localStorage|sessionStorage", text)


def test_every_section_has_its_heading_and_the_table_its_numbers(written: Path) -> None:
    text = written.read_text(encoding="utf-8")
    titles = re.findall(r'<h2 id="[a-z]+-title">([^<]*)</h2>', text)
    assert titles == [
        "Table",
        "What is resolved",
        "Clips",
        "Scores of clips",
        "Curves",
        "Budget and cost",
        "Provenance",
        "Notes",
    ]
    assert re.search(r'<td class="tied"><b>≈ 604.1</b><small>\[\d', text)
    assert ">442.18</td>" in text
    assert "a &lt;b&gt;blue&lt;/b&gt; star" in text
    assert "<b>blue</b>" not in text


def test_a_table_of_the_paper_says_what_it_makes_of_the_paper_s_orderings(contents: Contents) -> None:
    assert "orderings that the paper" not in page(contents)
    of_paper = replace(contents, spec=contents.spec.model_copy(update={"name": "table1"}))
    assert "RDTF better than SimDA" in page(of_paper)


def test_rows_without_clips_are_named_with_the_command_that_makes_them(written: Path) -> None:
    text = written.read_text(encoding="utf-8")
    assert "The store holds no clips of SimDA." in text
    assert "<code>rdtf-bench run planted --scale tiny</code>" in text


def test_the_command_of_a_table_names_its_options_and_no_place_of_a_machine(contents: Contents) -> None:
    three = replace(contents, options=("--data", "asg=/home/me/stickers", "--seeds", "3"))
    assert command(contents, "run").endswith("--scale tiny")
    assert command(three, "run").endswith("--scale tiny --data asg=stickers --seeds 3")


def test_without_a_store_the_published_numbers_are_shown_and_what_is_missing_is_said(
    contents: Contents, tmp_path: Path
) -> None:
    text = page(replace(contents, store=Store(tmp_path / "none")))
    assert "604.1" in text
    assert "The store holds no clips of this table, and published results have none." in text
    assert "The store holds no training logs of this table" in text
    assert "<img" not in text


def test_a_table_that_was_not_run_has_a_page(contents: Contents, tmp_path: Path) -> None:
    bare = replace(contents, records={}, store=Store(tmp_path / "none"))
    text = page(bare)
    assert "not run" in text
    assert "This command measures them: <code>rdtf-bench run planted --scale tiny</code>" in text
    assert "<code>rdtf-bench why planted ROW METRIC --scale tiny</code>" in text
    assert summary(bare)["measured"] == "not run"


def test_the_seed_of_the_clips_is_named_where_rows_were_trained_with_several(contents: Contents) -> None:
    assert "All of them have the seed" not in page(contents)
    several = replace(contents, spec=contents.spec.model_copy(update={"seeds": (0, 1, 2)}))
    assert "All of them have the seed 0," in page(several)


def test_missing_weights_cost_the_scores_of_clips_alone(contents: Contents, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise AssetError("fast-vqa: absent")

    monkeypatch.setattr(per_clip, "of_table", fail)
    text = page(contents)
    assert "The scores of single clips could not be computed: fast-vqa: absent" in text
    assert 'data-label="RDTF"' in text
