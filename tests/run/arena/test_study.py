from pathlib import Path

import pytest

from rdtf_bench.core.errors import StoreError
from rdtf_bench.run.arena.plan import load
from rdtf_bench.run.arena.study import Arena, Study, arenas_of, find_arena, keep_arena, keep_votes, read, study_of
from tests.arenas import arena_of, ballot, material, planned


def test_an_arena_is_found_by_its_id_and_by_its_rows(tmp_path: Path) -> None:
    arena = material(tmp_path).arena
    keep_arena(arena, tmp_path)
    assert keep_arena(arena, tmp_path).is_file()
    assert find_arena(arena.id, tmp_path) == arena
    assert arenas_of(planned(tmp_path).samples, tmp_path) == [arena]
    assert arenas_of({"RDTF": "another training"}, tmp_path) == []


def test_an_arena_that_is_not_there_is_an_error_that_lists_those_that_are(tmp_path: Path) -> None:
    arena = arena_of(load("table5"))
    keep_arena(arena, tmp_path)
    with pytest.raises(StoreError, match=rf"there is no arena 0123; it has {arena.id}\. .*--arena FILE"):
        find_arena("0123", tmp_path)


def test_the_id_changes_with_every_key_and_question() -> None:
    spec = load("table5")
    arena = arena_of(spec)
    other = arena.clips[0].model_copy(update={"keys": {**arena.clips[0].keys, "RDTF": "of other pixels"}})
    assert arena.model_copy(update={"clips": (other, *arena.clips[1:])}).id != arena.id
    assert arena.model_copy(update={"criteria": arena.criteria[:2]}).id != arena.id


def test_the_study_with_the_most_raters_is_shown_and_the_first_folder_goes_before_the_second(tmp_path: Path) -> None:
    spec = load("table5")
    small, large = arena_of(spec, num_clips=5), arena_of(spec, num_clips=4)
    keep_votes(Study(arena=small, ballots=(ballot(small, "a"),)), tmp_path / "one")
    keep_votes(Study(arena=large, ballots=(ballot(large, "a"), ballot(large, "b"))), tmp_path / "one")
    keep_votes(Study(arena=small, ballots=(ballot(small, "c"),)), tmp_path / "two")
    one, two = tmp_path / "one" / "votes", tmp_path / "two" / "votes"
    found = study_of(small.samples, [tmp_path / "nowhere", one, two])
    assert found is not None
    assert found.arena == large
    assert study_of({"RDTF": "another training"}, [one, two]) is None


def test_a_later_tally_replaces_the_earlier_one(tmp_path: Path) -> None:
    arena = arena_of(load("table5"))
    for raters in ("ab", "c"):
        path = keep_votes(Study(arena=arena, ballots=tuple(ballot(arena, rater) for rater in raters)), tmp_path)
    assert [vote.rater for vote in read(Study, path).ballots] == ["c"]


def test_an_anonymous_study_has_the_votes_without_the_names() -> None:
    arena = arena_of(load("table5"))
    ranks = {"Customize-A-Video": 1, "I2V-Adapter": 2, "SimDA": 3, "RDTF": 4}
    named = Study(arena=arena, ballots=(ballot(arena, "Anna"), ballot(arena, "Ben", ranks)))
    hidden = named.anonymous
    assert {vote.rater for vote in hidden.ballots} == {"rater 1", "rater 2"}
    assert sorted(str(vote.votes) for vote in named.ballots) == sorted(str(vote.votes) for vote in hidden.ballots)
    assert Study(arena=arena, ballots=named.ballots[::-1]).anonymous == hidden


@pytest.mark.parametrize(("text", "said"), [("{", "Invalid JSON"), ('{"format": 2}', "format: Input should be 1")])
def test_a_file_that_is_no_arena_is_an_error_with_its_place(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "arena.json").write_text(text)
    with pytest.raises(StoreError, match=rf"arena\.json: is not the file of an arena, .*{said}"):
        read(Arena, tmp_path / "arena.json")
    with pytest.raises(StoreError, match=r"nowhere\.json: cannot be read"):
        read(Arena, tmp_path / "nowhere.json")
