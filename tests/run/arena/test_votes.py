import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rdtf_bench.core.errors import DataError
from rdtf_bench.run.arena.plan import load
from rdtf_bench.run.arena.study import Arena, keep_arena
from rdtf_bench.run.arena.votes import count_in
from tests.arenas import arena_of, ballot


@pytest.fixture
def arena() -> Arena:
    return arena_of(load("table5"))


def write(path: Path, arena: Arena, rater: str = "Anna", change: Callable[[dict[str, Any]], object] = id) -> Path:
    """Write a ballot after `change` has had its way with it."""
    raw = json.loads(ballot(arena, rater).model_dump_json())
    change(raw)
    path.write_text(json.dumps(raw), encoding="utf-8")
    return path


def test_whole_files_of_different_raters_are_a_study(arena: Arena, tmp_path: Path) -> None:
    keep_arena(arena, tmp_path)
    paths = [write(tmp_path / f"{rater}.json", arena, rater) for rater in ("Anna", "Ben")]
    study = count_in(paths, arena=None, root=tmp_path)
    assert study.arena == arena
    assert [one.rater for one in study.ballots] == ["Anna", "Ben"]
    assert count_in(paths, arena=arena, root=tmp_path / "another store") == study


def _first(raw: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = raw["votes"][0]
    return found


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda raw: raw.update(arena="0123"), r"has votes of the arena 0123, and those of \w{16} are counted here"),
        (lambda raw: raw.update(rater=" "), r"rater: the name is empty"),
        (
            lambda raw: raw["votes"].__delitem__(slice(0, 4)),
            r"4 rankings of 9 are missing\. Ask 'Anna' to finish .*asg/test/00000 by text, .* and 1 more",
        ),
        (
            lambda raw: raw["votes"].append(_first(raw)),
            r"1 rankings stand twice\. Ask the rater for a new export\. They are: asg/test/00000 by text\.",
        ),
        (lambda raw: _first(raw).update(criterion="taste"), r"1 rankings are not asked for .*00000 by taste"),
        (lambda raw: _first(raw)["ranks"].popitem(), r"do not give each of the 4 clips a rank from 1 to 4"),
        (lambda raw: _first(raw)["ranks"].update({"RDTF of 0": 5}), r"do not give each of the 4 clips a rank"),
        (lambda raw: _first(raw)["ranks"].update({"another": 1}), r"do not give each of the 4 clips a rank"),
        (lambda raw: _first(raw)["ranks"].update({"RDTF of 0": 0}), r"votes\.0\.ranks\.RDTF of 0: Input should be"),
        (lambda raw: _first(raw)["ranks"].update({"RDTF of 0": "1"}), r"Input should be a valid integer"),
        (lambda raw: raw.pop("votes"), r"is not a file that the page of an arena exports: votes: Field required"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_cannot_be_counted_is_named_with_its_fault(
    change: Callable[[dict[str, Any]], object], said: str, arena: Arena, tmp_path: Path
) -> None:
    path = write(tmp_path / "votes-Anna.json", arena, change=change)
    with pytest.raises(DataError, match=rf"(?s)Nothing was counted.*votes-Anna\.json: .*{said}"):
        count_in([path], arena=arena, root=tmp_path)


def test_two_files_of_one_rater_are_refused_in_whatever_case(arena: Arena, tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{place}.json", arena, rater) for place, rater in enumerate(["Anna B", " anna  b"])]
    with pytest.raises(
        DataError, match=r"1\.json: is the second file of the rater .*, after .*0\.json\. Leave one out"
    ):
        count_in(paths, arena=arena, root=tmp_path)


def test_every_faulty_file_is_named_at_once(arena: Arena, tmp_path: Path) -> None:
    keep_arena(arena, tmp_path)
    good = write(tmp_path / "good.json", arena)
    other = write(tmp_path / "other.json", arena, "Ben", lambda raw: raw.update(arena="0123"))
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "latin.json").write_bytes(b"\xe9")
    paths = [
        good,
        write(tmp_path / "more.json", arena, "Eve"),
        other,
        tmp_path / "broken.json",
        tmp_path / "latin.json",
    ]
    with pytest.raises(DataError) as caught:
        count_in([*paths, tmp_path], arena=None, root=tmp_path)
    said = str(caught.value)
    assert said.startswith("Nothing was counted. Faults: 4\n")
    assert all(name in said for name in ("other.json: has votes", "broken.json: is not a file", "latin.json: is not a"))
    assert "good.json" not in said


def test_files_of_which_none_can_be_read_need_no_arena(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.json: cannot be read: No such file or directory"):
        count_in([tmp_path / "nowhere.json"], arena=None, root=tmp_path)
