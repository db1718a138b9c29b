from pathlib import Path

import pytest
from pydantic import ValidationError

from rdtf_bench import catalog
from rdtf_bench.core.errors import ProtocolError, UnknownNameError
from rdtf_bench.run.protocols import ablation, load_tables
from rdtf_bench.spec.load import (
    load_protocol,
    load_scale,
    load_sheet,
    load_validity,
    parse,
    protocol_names,
    scale_names,
    sheet_names,
)
from rdtf_bench.spec.schema import PaperValue, TableSpec, ValiditySpec

GOOD = """
name: t
version: 1
title: A table
source: nowhere
dataset: asg
task: it2v
known_frames: keep
metrics: [fvd]
seeds: [0]
controls: [static]
rows: [{label: ours, method: rdtf}]
"""


def said_of(tmp_path: Path, old: str, new: str) -> str:
    path = tmp_path / "t.yaml"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(ProtocolError) as e:
        parse(path, TableSpec)
    return str(e.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("seeds:", "seedz:", "seedz: there is no such key. Did you mean 'seeds'?"),
        ("version: 1", "version: '1'", "version: Input should be a valid integer"),
        ("known_frames: keep", "known_frames: kep", "known_frames: Input should be 'overwrite' or 'keep'"),
        ("method: rdtf", "method: rdtf, paper: {vqa: {value: '1', source: s}}", "quotes ['vqa'], which"),
        ("method: rdtf", "method: rdtf, paper: {fvd: {value: 1.0, source: s}}", "paper.fvd.value: Input should be"),
        ("version: 1", "version: 1\nversion: 2", "t.yaml:4: 'version' is written twice"),
        ("rows: [", "rows: [[", "t.yaml is not YAML"),
    ],
)
def test_a_wrong_file_is_refused_by_field(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert said in said_of(tmp_path, old, new)


def test_every_fault_is_named_at_once(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(GOOD.replace("version: 1", "version: 0").replace("seeds: [0]", "seeds: [-1]"))
    with pytest.raises(ProtocolError) as e:
        parse(path, TableSpec)
    assert "version:" in str(e.value)
    assert "seeds.0:" in str(e.value)


def test_a_typo_gets_the_close_match_and_exit_status_2() -> None:
    with pytest.raises(UnknownNameError, match=r"there is no protocol 'tabel1'\. Did you mean 'table1'\?") as e:
        load_protocol("tabel1")
    assert e.value.exit_status == 2
    with pytest.raises(UnknownNameError, match=r"Did you mean 'tiny'\?"):
        load_scale("tinny")


@pytest.mark.parametrize(("text", "number"), [("22.10", 22.1), ("0.96 B", 0.96e9), ("12.5 M", 12.5e6)])
def test_a_quoted_number_keeps_its_digits_and_has_a_value(text: str, number: float) -> None:
    assert PaperValue(value=text, source="s").number == number


@pytest.mark.parametrize("name", protocol_names())
def test_every_protocol_names_what_is_in_the_catalog(name: str) -> None:
    spec = load_protocol(name)
    assert {row.method for row in spec.rows} <= set(catalog.METHODS)


@pytest.mark.parametrize("name", scale_names())
def test_every_scale_loads_and_is_named_as_its_file(name: str) -> None:
    assert load_scale(name).name == name


def test_a_panel_draws_rows_of_its_table() -> None:
    figure = load_protocol("figure8")
    assert {row for panel in figure.panels for row in panel.rows} == {row.label for row in figure.rows}
    stray = {"panels": ({"title": "x", "rows": ("RDFT",)},)}
    with pytest.raises(ValidationError, match="which are no rows"):
        TableSpec.model_validate({**figure.model_dump(), **stray})


@pytest.mark.parametrize("name", sheet_names())
def test_every_sheet_loads_and_is_named_as_its_file(name: str) -> None:
    assert load_sheet(name).name == name


def test_ablations_go_by_their_short_names_and_seeds_are_counted_from_0() -> None:
    assert ablation("gains") == "ablate-gains"
    with pytest.raises(UnknownNameError, match="Did you mean 'gains'"):
        ablation("gain")
    (spec,) = load_tables("table4", 3)
    assert spec.seeds == (0, 1, 2)
    assert load_tables("table4")[0].seeds == (0,)


OF_RDTF = [name for name in protocol_names() if name.startswith("ablate-") and name != "ablate-baselines"]


@pytest.mark.parametrize("name", ["table3", "table4", "figure8", *OF_RDTF])
def test_an_ablation_leaves_one_row_as_it_is(name: str) -> None:
    """That of table1, so that its training is shared."""
    assert [row.method for row in load_protocol(name).rows if not row.options].count("rdtf") == 1


def test_rules_for_short_clips_are_of_one_network_and_of_frames_at_equal_intervals() -> None:
    spec = load_validity("fvd-8-frames").model_dump()
    with pytest.raises(ValidationError, match="of 16 frames 6 cannot be shown at equal intervals"):
        ValiditySpec.model_validate({**spec, "short_clips": {**spec["short_clips"], "shown": 6}})
    with pytest.raises(ValidationError, match="for one metric and one network"):
        ValiditySpec.model_validate({**spec, "networks": {}})
    with pytest.raises(ValidationError, match=r"\['vqa'\], which this protocol does not measure"):
        ValiditySpec.model_validate({**spec, "networks": {**spec["networks"], "vqa": ("x",)}})
