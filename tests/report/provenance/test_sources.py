"""Tests where records are found: a store, results/, an earlier commit and a file."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from rdtf_bench.core.errors import DivergedError, ProtocolError, StoreError, UnknownNameError
from rdtf_bench.report.provenance import sources
from rdtf_bench.report.provenance.sources import Recorded, at_scale, one_table, read, row_named, rows_of
from rdtf_bench.report.table.publish import publish
from rdtf_bench.run import record
from rdtf_bench.run.record import Record
from rdtf_bench.spec.load import load_scale
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import TableSpec

PUBLISHED = Path(__file__).parents[3] / "results"


@pytest.fixture
def store(tmp_path: Path, cells: list[Cell], records: dict[str, Record]) -> Path:
    """Return a store that finished the planted table."""
    root = tmp_path / "runs"
    for one in records.values():
        record.save(one, record.folder_in(root))
    folder = root / "pictures" / "planted-tiny-0"
    folder.mkdir(parents=True)
    rows = [{"label": cell.name, "cell_id": cell.id, "fit_key": None} for cell in cells]
    (folder / "rows.json").write_text(json.dumps({"table": "planted", "scale": "tiny", "rows": rows}))
    return root


@pytest.fixture
def results(tmp_path: Path, spec: TableSpec, scale: Scale, cells: list[Cell], store: Path) -> Path:
    publish(spec, scale, cells, store=store, results=tmp_path / "results")
    return tmp_path / "results"


def test_the_published_record_is_found_where_the_store_has_none(tmp_path: Path) -> None:
    found = rows_of(one_table("ci"), load_scale("ci"), source=None, store=tmp_path, results=PUBLISHED)
    assert found["RDTF"].place == f"{PUBLISHED / 'ci' / found['RDTF'].record.cell_id}.json"


def test_the_store_comes_before_the_published_results(tmp_path: Path) -> None:
    ci = one_table("ci"), load_scale("ci")
    published = rows_of(*ci, source=None, store=tmp_path, results=PUBLISHED)["RDTF"].record
    record.save(replace(published, command="mine"), record.folder_in(tmp_path))
    found = rows_of(*ci, source=None, store=tmp_path, results=PUBLISHED)
    assert found["RDTF"].record.command == "mine"
    assert found["SimDA"].place.startswith(str(PUBLISHED))


def test_a_row_of_an_earlier_version_is_found_by_the_table_that_the_store_finished(tmp_path: Path) -> None:
    ci = one_table("ci"), load_scale("ci")
    published = rows_of(*ci, source=None, store=tmp_path, results=PUBLISHED)["RDTF"].record
    record.save(replace(published, cell_id="earlier"), record.folder_in(tmp_path))
    folder = tmp_path / "pictures" / "ci-ci-0"
    folder.mkdir(parents=True)
    rows = [{"label": "RDTF", "cell_id": "earlier", "fit_key": None}]
    (folder / "rows.json").write_text(json.dumps({"table": "ci", "scale": "ci", "rows": rows}))
    found = rows_of(*ci, source=None, store=tmp_path, results=tmp_path / "nothing")
    assert {row: one.record.cell_id for row, one in found.items()} == {"RDTF": "earlier"}


def test_a_row_is_named_by_its_label_in_any_case_or_by_its_method(records: dict[str, Record]) -> None:
    made = next(one for one in records.values() if one.method == "i2v_adapter")
    found = {"I2V-Adapter": Recorded(row="I2V-Adapter", place="", record=made)}
    assert row_named(found, "i2v-adapter") is row_named(found, "i2v_adapter") is found["I2V-Adapter"]
    with pytest.raises(UnknownNameError, match=r"no record of a row 'I2V-Adaptor'\. Did you mean 'I2V-Adapter'\?"):
        row_named(found, "I2V-Adaptor")


def test_a_row_whose_training_has_diverged_has_no_score_to_explain(records: dict[str, Record]) -> None:
    made = replace(next(iter(records.values())), scores={}, diverged_at_step=724)
    with pytest.raises(DivergedError, match=r"^s/x\.json: the training of RDTF has diverged at step 724"):
        Recorded(row="RDTF", place="s/x.json", record=made).metrics("fvd")


def test_a_set_of_tables_is_refused_with_the_names_of_its_tables() -> None:
    with pytest.raises(ProtocolError, match="table2-interpolation, table2-prediction"):
        one_table("table2")


def test_a_table_of_a_store_and_a_published_one_hold_the_same_records(
    store: Path, results: Path, records: dict[str, Record]
) -> None:
    with (
        read(f"{store}:planted", "tiny", results=results) as kept,
        read("planted", "tiny", results=results) as held,
    ):
        assert {one.record.cell_id for one in kept.values()} == set(records)
        assert {row: one.record for row, one in kept.items()} == {row: one.record for row, one in held.items()}


def test_results_of_an_earlier_commit_are_read_from_git(results: Path) -> None:
    def git(*arguments: str) -> None:
        named = ("-c", "user.name=a", "-c", "user.email=a@b.c", *arguments)
        subprocess.run(["git", *named], cwd=results.parent, check=True, capture_output=True)

    git("init", "-q")
    git("add", "results")
    git("commit", "-q", "-m", "one")
    for path in (results / "planted" / "tables").iterdir():
        path.unlink()
    with read("git:HEAD:planted", "tiny", results=results) as found:
        assert found["RDTF"].record.method == "rdtf"
        assert found["RDTF"].place == f"HEAD:results/planted/{found['RDTF'].record.cell_id}.json"
    missing = read("git:HEAD:nothing", "tiny", results=results)
    with pytest.raises(StoreError, match="git:HEAD:nothing: git does not have it"), missing:
        pass


def test_a_file_is_one_row_and_another_file_is_refused(tmp_path: Path, results: Path) -> None:
    path = next((results / "planted").glob("*.json"))
    with read(str(path), "tiny", results=results) as found:
        assert [one.record for one in found.values()] == [record.read(path)]
    (tmp_path / "other.json").write_text("[1]")
    for name, said in (("other.json", "is not a record"), ("none.json", "there is no such file")):
        with pytest.raises(StoreError, match=said), read(str(tmp_path / name), "tiny", results=results):
            pass


@pytest.mark.parametrize(("place", "said"), [("plantd", "Did you mean 'planted'"), ("nowhere:planted", "no store")])
def test_a_wrong_place_is_said(place: str, said: str, results: Path) -> None:
    with pytest.raises((StoreError, UnknownNameError), match=said), read(place, "tiny", results=results):
        pass


def test_a_scale_without_records_is_said(results: Path) -> None:
    with (
        pytest.raises(StoreError, match="has no record at scale 'paper'"),
        read("planted", "paper", results=results),
    ):
        pass
    with pytest.raises(StoreError, match="Run: the command; or name"):
        sources.require_rows({}, "planted", "paper", run="the command")


def test_a_store_whose_table_is_not_finished_is_read_by_its_plan(tmp_path: Path) -> None:
    published = rows_of(one_table("ci"), load_scale("ci"), source=None, store=tmp_path, results=PUBLISHED)
    record.save(published["RDTF"].record, record.folder_in(tmp_path))
    with read(f"{tmp_path}:ci", "ci", results=PUBLISHED) as found:
        assert list(found) == ["RDTF"]


@pytest.mark.parametrize("place", ["git:", "git:HEAD", "git::ci"])
def test_a_commit_without_a_table_is_refused(place: str, results: Path) -> None:
    with pytest.raises(StoreError, match="Write git:COMMIT:TABLE"), read(place, "tiny", results=results):
        pass


def test_all_metrics_of_a_record_are_meant_unless_one_is_asked_for(records: dict[str, Record]) -> None:
    made = next(one for one in records.values() if one.method == "rdtf")
    found = Recorded(row="RDTF", place="", record=made)
    assert found.metrics("vqa") == ("vqa",)
    assert found.metrics(None) == tuple(made.scores)


def test_the_number_of_published_seeds_is_that_of_the_longest_table(
    spec: TableSpec, scale: Scale, cells: list[Cell], store: Path, results: Path
) -> None:
    assert sources.published_seeds(results / "planted", "tiny") == 1
    publish(spec.model_copy(update={"seeds": (0, 1, 2)}), scale, cells, store=store, results=results)
    assert sources.published_seeds(results / "planted", "tiny") == 3
    assert sources.published_seeds(results / "planted", "paper") is None


def test_a_table_is_read_at_its_own_scale_unless_another_is_named() -> None:
    with read("table1", None, results=PUBLISHED) as own, read("table1", "tiny", results=PUBLISHED) as other:
        assert at_scale("table1", own) == "table1 at scale small"
        assert at_scale("table1", other) == "table1 at scale tiny"
