"""Names that stand for several tables, and what their rows share."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from rdtf_bench import catalog
from rdtf_bench.commands.selection import Selection
from rdtf_bench.core.errors import ProtocolError, UnknownNameError
from rdtf_bench.report.layouts import joined
from rdtf_bench.run.protocols import default_scale, load_costs, load_sheet, load_table, load_tables
from rdtf_bench.spec.load import load_scale
from rdtf_bench.spec.plan import Cell, plan
from tests.plans import DATA


def cells(name: str) -> dict[tuple[str, str], Cell]:
    """Return the rows by task and label."""
    scale = load_scale("tiny")
    planned = [
        cell
        for spec in load_tables(name)
        for cell in plan(spec, scale, DATA, {role: f"digest of {role}" for role in scale.assets}, catalog.constants)
    ]
    return {(getattr(cell.sample, "task", None) or "", cell.label): cell for cell in planned}


def test_table2_has_a_half_for_each_task_and_overwrites_known_frames() -> None:
    halves = load_tables("table2")
    assert [half.task for half in halves] == ["interpolation", "prediction"]
    assert {half.known_frames for half in halves} == {"overwrite"}
    papers = [row.paper["fvd"].value for half in halves for row in half.rows]
    assert papers == ["213.71", "198.49", "192.62", "79.34", "74.68", "67.92"]


def test_rdtf_has_one_set_of_weights_and_the_baselines_one_a_task() -> None:
    once, twice = cells("table1"), cells("table2")
    rdtf = {cell.fit_key for (_, label), cell in (once | twice).items() if label == "RDTF"}
    assert len(rdtf) == 1
    for label in ("I2V-Adapter", "SimDA"):
        fits = {cell.fit_key for (_, name), cell in (once | twice).items() if name == label}
        assert len(fits) == 3
        fit = twice["prediction", label].fit
        assert fit is not None
        assert fit.training.task == "prediction"


def test_static_depends_on_what_is_known_and_other_real_clips_do_not() -> None:
    halves = cells("table2")
    assert halves["interpolation", "static"].id != halves["prediction", "static"].id
    assert len([label for _, label in halves if label == "other real clips"]) == 1


def test_released_rows_have_a_second_text_encoder_and_the_faithful_ones_are_those_of_table1() -> None:
    both = cells("table1-released-baselines")
    once = cells("table1")
    for label in ("Customize-A-Video", "I2V-Adapter", "SimDA"):
        faithful, released = both["it2v", label], both["it2v", f"{label}, released"]
        assert faithful.id == once["it2v", label].id
        assert released.fit is not None
        assert released.fit.options["variant"] == "released"
        assert "t5_encoder" in released.fit.assets
    assert both["it2v", "RDTF"].id == once["it2v", "RDTF"].id


def test_an_unknown_name_has_the_close_match_of_a_set() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'table2'"):
        load_tables("tabel2")


def test_several_tables_are_one_list_and_one_csv() -> None:
    assert json.loads(joined(['[{"a": 1}]', '[{"a": 2}]'], format="json")) == [{"a": 1}, {"a": 2}]
    assert joined(["a\n1", "a\n2"], format="csv") == "a\n1\n2"
    assert joined(["one", "two"], format="text") == "one\n\ntwo"


def test_a_protocol_without_a_scale_has_its_own(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("extends: table1\nname: own\ndefault_scale: ci\n")
    assert default_scale(str(own)) == "ci"
    assert Selection(protocol=str(own)).scale.name == "ci"
    assert Selection(protocol=str(own), scale_name="tiny").scale.name == "tiny"
    assert default_scale("table5") == default_scale("table1")  # of which it ranks the rows
    assert [default_scale(name) for name in ("table2", "table6", "metric-validity")] == ["tiny"] * 3


def test_an_unknown_scale_of_a_protocol_is_named_with_its_line(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text("extends: table1\nname: own\ndefault_scale: tyni\n")
    with pytest.raises(ProtocolError, match=r"own\.yaml:3: default_scale: there is no scale 'tyni'"):
        load_table(str(own))


@pytest.mark.parametrize(("load", "extended"), [(load_sheet, "table6"), (load_costs, "table8")])
def test_a_method_that_is_not_in_the_catalog_is_named_with_its_line(
    load: Callable[[str], object], extended: str, tmp_path: Path
) -> None:
    wrong = "method: simdaa" if load is load_sheet else "rows: [{label: SimDA, method: simdaa}]"
    path = tmp_path / "mine.yaml"
    path.write_text(f"extends: {extended}\nname: mine\ntitle: mine\n{wrong}\n")
    with pytest.raises(ProtocolError, match=r"mine\.yaml:4: .*'simdaa'.*Did you mean 'simda'"):
        load(str(path))
