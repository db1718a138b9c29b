import dataclasses
import json
from pathlib import Path

from rdtf_bench.run.costs.record import FILE, CostRecord, Measured, find, key
from rdtf_bench.spec.load import load_costs
from rdtf_bench.spec.schema import CostSpec, Row

TABLE8 = "c742576d0c5a1ed7"  # folder of the published measurement, results/table8


class LaterRow(Row):
    warm_up: int = 1


class LaterSpec(CostSpec):
    rows: tuple[LaterRow, ...]
    threads: int = 0


def test_the_key_of_the_published_measurement_stands() -> None:
    assert key(load_costs("table8")) == TABLE8


def test_a_later_field_enters_the_key_only_off_its_default() -> None:
    content = load_costs("table8").model_dump(mode="json")
    later = LaterSpec.model_validate_json(json.dumps(content))
    assert key(later) == TABLE8
    assert key(later.model_copy(update={"threads": 2})) != TABLE8
    content["rows"][0]["warm_up"] = 2
    assert key(LaterSpec.model_validate_json(json.dumps(content))) != TABLE8


def test_what_decides_a_number_is_in_the_key_and_wording_is_not() -> None:
    spec = load_costs("table8")
    assert key(spec.model_copy(update={"title": "another", "source": "another"})) == TABLE8
    for change in ({"repeats": spec.repeats + 1}, {"version": spec.version + 1}, {"rows": spec.rows[1:]}):
        assert key(spec.model_copy(update=change)) != TABLE8


def test_a_record_is_read_back_from_the_first_folder_that_has_one(tmp_path: Path) -> None:
    spec = load_costs("table8")
    row = Measured(
        label="SimDA", method="simda", metric="params", yardstick="total", value=2.0, ci_low=2.0, ci_high=2.0, n=1
    )
    record = CostRecord(
        protocol="table8", version=1, rows=(row,), readings=(3,), environment={"cpu": "any"}, seconds=1.5, created="now"
    )
    empty, first, second = (tmp_path / name for name in ("empty", "first", "second"))
    assert find(spec, [empty]) is None
    for folder, held in ((first, record), (second, dataclasses.replace(record, created="later"))):
        (folder / TABLE8).mkdir(parents=True)
        (folder / TABLE8 / FILE).write_text(json.dumps(dataclasses.asdict(held)))
    assert find(spec, [empty, first, second]) == record
