"""results/: the store's records, and a README that follows from the files alone."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from rdtf_bench.core.errors import ProtocolError, StoreError
from rdtf_bench.report.published import options_of
from rdtf_bench.report.results import readme
from rdtf_bench.report.table import claims
from rdtf_bench.report.table.publish import publish
from rdtf_bench.report.table.rows import rows
from rdtf_bench.report.table.table import render
from rdtf_bench.run import record
from rdtf_bench.run.record import Record
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.scale import Scale
from rdtf_bench.spec.schema import TableSpec

RESULTS = Path(__file__).parents[3] / "results"


@pytest.fixture
def store(tmp_path: Path, records: dict[str, Record]) -> Path:
    for one in records.values():
        record.save(one, record.folder_in(tmp_path / "runs"))
    return tmp_path / "runs"


def contents(folder: Path) -> Mapping[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_records_come_out_as_they_were(
    spec: TableSpec, scale: Scale, cells: list[Cell], records: dict[str, Record], store: Path, tmp_path: Path
) -> None:
    said = publish(spec, scale, cells, store=store, results=tmp_path / "results")
    assert record.find(records, [tmp_path / "results" / "planted"]) == records
    assert said.startswith(f"{len(records)} records in ")


def test_the_readme_holds_the_table_and_says_that_it_is_generated(
    spec: TableSpec, scale: Scale, cells: list[Cell], records: dict[str, Record], store: Path, tmp_path: Path
) -> None:
    publish(spec, scale, cells, store=store, results=tmp_path / "results")
    text = (tmp_path / "results" / "README.md").read_text(encoding="utf-8")
    assert "Do not edit" in text
    assert render(spec, scale, cells, records, format="md") in text
    assert f"[RDTF](planted/{cells[3].id}.json)" in text
    assert f"Scale `tiny` (version {scale.version}), data `toy`, protocol version 1.\n" in text


def test_the_readme_says_which_tables_are_of_an_earlier_version_of_their_scale(
    spec: TableSpec, scale: Scale, cells: list[Cell], store: Path, tmp_path: Path
) -> None:
    earlier = scale.model_copy(update={"version": scale.version - 1})
    publish(spec.model_copy(update={"name": "table1"}), earlier, cells, store=store, results=tmp_path / "results")
    text = readme(tmp_path / "results")
    assert f"(version {scale.version - 1})" in text
    assert f"| table1 | {scale.name}, version {scale.version - 1} | toy | 1 |" in text
    assert f"**Outdated:** the scale has version {scale.version} now" in text


def test_the_readme_counts_the_paper_s_orderings_of_the_tables_that_have_some(
    spec: TableSpec, scale: Scale, cells: list[Cell], store: Path, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    publish(spec, scale, cells, store=store, results=results)
    assert "orderings" not in readme(results)
    publish(spec.model_copy(update={"name": "table1"}), scale, cells, store=store, results=results)
    (line,) = [line for line in readme(results).splitlines() if line.startswith("| table1 | tiny | toy | 1 |")]
    stated = claims.of_table("table1")
    assert stated is not None
    measured = rows(spec, cells, record.find([cell.id for cell in cells], [results / "table1"]))
    judged = [one.verdict for one in claims.judge(stated, measured) if one.claim.metric == "fvd"]
    assert "confirmed" in judged
    counts = [judged.count(verdict) for verdict in ("confirmed", "contradicted", "undecided")]
    assert line.split(" | ")[4] == " / ".join(map(str, counts))


def test_publishing_twice_changes_no_byte(
    spec: TableSpec, scale: Scale, cells: list[Cell], store: Path, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    publish(spec, scale, cells, store=store, results=results)
    before = contents(results)
    publish(spec, scale, cells, store=store, results=results)
    assert contents(results) == before


def test_a_table_of_several_seeds_stands_beside_that_of_one(
    spec: TableSpec, scale: Scale, cells: list[Cell], store: Path, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    publish(spec, scale, cells, store=store, results=results)
    publish(spec.model_copy(update={"seeds": (0, 1, 2)}), scale, cells, store=store, results=results)
    tables = sorted(path.name for path in (results / "planted" / "tables").iterdir())
    assert tables == ["tiny-toy-3-seeds.json", "tiny-toy.json"]
    text = (results / "README.md").read_text(encoding="utf-8")
    assert f"Scale `tiny` (version {scale.version}), data `toy`, protocol version 1, 3 seeds." in text


def test_another_data_source_gets_a_table_of_its_own_and_old_records_stay(
    spec: TableSpec, scale: Scale, cells: list[Cell], records: dict[str, Record], store: Path, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    publish(spec, scale, cells, store=store, results=results)
    other = tmp_path / "other"
    for one in records.values():
        moved = json.loads(json.dumps(one.data)) | {"source": "Мои наклейки"}
        record.save(Record(**{**vars(one), "data": moved, "cell_id": one.cell_id}), record.folder_in(other))
    publish(spec, scale, cells[:1], store=other, results=results)
    tables = sorted(path.name for path in (results / "planted" / "tables").iterdir())
    assert tables == ["tiny-toy.json", "tiny-мои-наклейки.json"]
    assert len(list((results / "planted").glob("*.json"))) == len(records)
    text = (results / "README.md").read_text(encoding="utf-8")
    assert text.count("## planted: A planted table") == 2


def test_an_unfinished_table_is_published_with_what_is_there(
    spec: TableSpec, scale: Scale, cells: list[Cell], store: Path, tmp_path: Path
) -> None:
    (record.folder_in(store) / f"{cells[0].id}.json").unlink()
    said = publish(spec, scale, cells, store=store, results=tmp_path / "results")
    assert said.endswith("not run: Customize-A-Video")
    assert "| Customize-A-Video | not run | 451.83 |" in (tmp_path / "results" / "README.md").read_text(
        encoding="utf-8"
    )


def test_an_empty_store_has_nothing_to_publish(
    spec: TableSpec, scale: Scale, cells: list[Cell], tmp_path: Path
) -> None:
    with pytest.raises(StoreError, match=r"nothing of planted .* Run: rdtf-bench run planted"):
        publish(spec, scale, cells, store=tmp_path / "empty", results=tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_a_table_of_another_shape_is_named(
    spec: TableSpec, scale: Scale, cells: list[Cell], store: Path, tmp_path: Path
) -> None:
    results = tmp_path / "results"
    publish(spec, scale, cells, store=store, results=results)
    path = results / "planted" / "tables" / "tiny-toy.json"
    raw = json.loads(path.read_text(encoding="utf-8"))
    del raw["scale"]["clip"]
    path.write_text(json.dumps(raw), encoding="utf-8")
    with pytest.raises(ProtocolError, match=r"tiny-toy\.json: was published with another format"):
        readme(results)


def test_the_shipped_readme_is_what_its_records_say() -> None:
    if not RESULTS.is_dir():
        pytest.skip("an installed package has no results folder")
    assert (RESULTS / "README.md").read_text(encoding="utf-8") == readme(RESULTS)


def test_the_command_of_a_published_table_names_its_data_and_seeds(spec: TableSpec, records: dict[str, Record]) -> None:
    assert options_of(spec, records) == options_of(spec, {}) == []
    elsewhere = {key: replace(one, data={**one.data, "source": "hf:me/my@v1"}) for key, one in records.items()}
    three = spec.model_copy(update={"seeds": (0, 1, 2)})
    assert options_of(three, elsewhere) == ["--data", f"{spec.dataset}=hf:me/my@v1", "--seeds", "3"]
