from pathlib import Path

import pytest
import torch

from rdtf_bench.core.errors import ProtocolError, StoreError
from rdtf_bench.run.arena import make, plan
from rdtf_bench.run.protocols import load_scale
from rdtf_bench.run.table.external.clips import ExternalClips
from rdtf_bench.run.table.sample import read_samples
from tests.arenas import NUM_CLIPS, filled, material, planned


def test_every_row_of_every_clip_is_asked_about_once_by_each_criterion(tmp_path: Path) -> None:
    drawn = material(tmp_path)
    asked = [(question.clip, question.criterion) for question in drawn.questions]
    names = [criterion.name for criterion in drawn.arena.criteria]
    assert asked == [(clip.id, name) for clip in drawn.arena.clips for name in names]
    for question in drawn.questions:
        clip = next(clip for clip in drawn.arena.clips if clip.id == question.clip)
        assert sorted(question.order) == sorted(clip.keys.values())


def test_a_key_stands_for_the_clip_of_its_row(tmp_path: Path) -> None:
    drawn, found = material(tmp_path), planned(tmp_path)
    video = read_samples(found.store.path("samples", found.samples["SimDA"]))
    for clip in drawn.arena.clips:
        place = int(clip.id[-5:])
        assert torch.equal(drawn.clips[clip.keys["SimDA"]], video[place])


def test_the_place_of_a_row_changes_between_questions(tmp_path: Path) -> None:
    drawn = material(tmp_path, num_clips=NUM_CLIPS)
    keys = {clip.id: clip.keys["RDTF"] for clip in drawn.arena.clips}
    places = [question.order.index(keys[question.clip]) for question in drawn.questions]
    assert set(places) == {0, 1, 2, 3}


def test_the_same_seed_draws_the_same_arena_and_another_seed_another_one(tmp_path: Path) -> None:
    first, again, other = (material(tmp_path, seed=seed) for seed in (0, 0, 1))
    assert first.arena == again.arena
    assert first.questions == again.questions
    assert first.arena.id != other.arena.id
    assert not set(first.clips) & set(other.clips)


def test_the_known_frame_is_the_first_real_one_and_the_caption_is_shown(tmp_path: Path) -> None:
    drawn = material(tmp_path)
    assert {len(frames) for frames in drawn.known.values()} == {1}
    assert all(clip.caption.startswith("prompt <") for clip in drawn.arena.clips)


def test_tables_without_captions_are_not_ranked_by_text(tmp_path: Path) -> None:
    table = filled(tmp_path)
    silent = table.table.model_copy(update={"task": "i2v"})
    drawn = make.draw(type(table)(**{**vars(table), "table": silent}), num_clips=2, seed=0)
    assert [criterion.name for criterion in drawn.arena.criteria] == ["interest", "motion"]
    assert {clip.caption for clip in drawn.arena.clips} == {""}


def test_more_clips_than_there_are_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match=r"--clips 6: there are 5 test clips\. Choose at most so many"):
        material(tmp_path, num_clips=6)


def test_rows_that_were_not_sampled_are_named_with_the_command_that_samples_them(tmp_path: Path) -> None:
    found = filled(tmp_path)
    found.store.remove("samples", found.samples["SimDA"])
    with pytest.raises(StoreError, match=r"no clips of SimDA at scale ci\. Run: rdtf-bench run table1 --scale ci"):
        make.draw(found, num_clips=2, seed=0)


def test_the_command_that_samples_has_the_users_data_and_rows(tmp_path: Path) -> None:
    mine = ExternalClips(folder=Path("clips"), fingerprint="0123", clips={}, other_kinds={})
    options = ["--with", "mine=my clips", "--store", "runs 2"]
    found = plan.plan(plan.load("table5"), load_scale("ci"), None, tmp_path / "runs 2", {"mine": mine}, options)
    assert list(found.samples)[-1] == "mine"
    chosen = "--scale ci --with 'mine=my clips' --store 'runs 2'"
    assert found.command_of_table == f"rdtf-bench run table1 {chosen}"
    make_page, count = found.commands_of_votes
    assert make_page == f"rdtf-bench arena make table5 {chosen} --out arena.html"
    assert count == f"rdtf-bench arena tally votes-*.json --store '{tmp_path / 'runs 2'}'"


def test_a_table_stands_for_the_papers_criteria_with_its_rows(tmp_path: Path) -> None:
    spec = plan.load("ci")
    assert (spec.table, spec.paper) == ("ci", {})
    assert spec.criteria == plan.load("table5").criteria
    assert list(plan.plan(spec, load_scale("ci"), None, tmp_path).samples) == [
        "Customize-A-Video",
        "I2V-Adapter",
        "SimDA",
        "RDTF",
    ]


def test_other_kinds_of_protocol_are_refused() -> None:
    with pytest.raises(
        ProtocolError, match="table6: a table or an arena is needed here, and this one is of kind 'sheet'"
    ):
        plan.load("table6")


def test_a_number_of_the_paper_for_a_row_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    value = '{text: {value: "1.0", source: "nowhere"}}'
    mine.write_text(f"extends: table5\nname: mine\npaper: {{RDFT: {value}}}\n")
    with pytest.raises(ProtocolError, match="table1 has no row 'RDFT'"):
        plan.load(str(mine))


def test_a_number_of_the_paper_for_an_unknown_criterion_is_an_error_with_its_line(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yaml"
    value = '{txt: {value: "1.0", source: "nowhere"}}'
    mine.write_text(f"extends: table5\nname: mine\npaper: {{RDTF: {value}}}\n")
    with pytest.raises(ProtocolError, match=r"mine\.yaml:3.*Did you mean 'text'\?"):
        plan.load(str(mine))
