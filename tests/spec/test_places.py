"""A user's folders of protocols, by RDTF_BENCH_PROTOCOLS."""

import os
from pathlib import Path

import pytest

from rdtf_bench.core.errors import ProtocolError, UnknownNameError
from rdtf_bench.spec.load import is_scale, kind_of, load, load_scale, protocol_names, scale_names
from rdtf_bench.spec.places import PACKAGE, find, names

SHEET = "{extends: table7, name: my-sheet, kind: sheet}"


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    one, two = tmp_path / "one", tmp_path / "two"
    (one / "scales").mkdir(parents=True)
    (two / "sheets").mkdir(parents=True)
    (one / "my-table.yaml").write_text("extends: table1\nname: my-table\n")
    (one / "scales" / "my-scale.yml").write_text("extends: tiny\nname: my-scale\n")
    (one / "scales" / "other.yaml").write_text("extends: my-scale\nname: other\n")
    (two / "sheets" / "my-sheet.yaml").write_text(SHEET)
    monkeypatch.setenv("RDTF_BENCH_PROTOCOLS", f"{one}{os.pathsep}{os.pathsep}{two}")
    return one, two


def test_names_are_looked_for_in_the_package_and_in_every_folder(folders: tuple[Path, Path]) -> None:
    one, two = folders
    assert {"my-table", "table1"} < set(protocol_names())
    assert {"my-scale", "other", "tiny"} < set(scale_names())
    assert {"my-sheet", "table7"} < set(names("sheet"))
    assert [kind_of("my-table"), kind_of("my-sheet")] == ["table", "sheet"]
    assert is_scale("my-scale")
    assert find("scale", "my-scale") == one / "scales" / "my-scale.yml"
    assert find("sheet", "my-sheet") == two / "sheets" / "my-sheet.yaml"
    assert find("table", "table1") == PACKAGE / "table1.yaml"
    assert load_scale("other").training == load_scale("tiny").training
    assert load("sheet", "my-sheet").name == "my-sheet"


def test_a_file_by_its_path_is_of_the_kind_of_its_folder(folders: tuple[Path, Path]) -> None:
    one, two = folders
    (two / "sheets" / "plain.yaml").write_text("name: plain")
    (one / "top.yaml").write_text("extends: tiny\nname: top")
    assert kind_of(str(two / "sheets" / "plain.yaml")) == "sheet"
    assert is_scale(str(one / "top.yaml"))


def test_a_name_in_two_places_is_an_error_that_names_both_files(folders: tuple[Path, Path]) -> None:
    one, two = folders
    (two / "sheets" / "my-table.yaml").write_text(SHEET)
    with pytest.raises(ProtocolError) as e:
        kind_of("my-table")
    assert f"{one}/my-table.yaml and {two}/sheets/my-table.yaml" in str(e.value)
    (one / "scales" / "tiny.yaml").write_text("extends: small\nname: tiny\n")
    with pytest.raises(ProtocolError) as e:
        load_scale("tiny")
    assert f"{PACKAGE}/scales/tiny.yaml and {one}/scales/tiny.yaml" in str(e.value)


def test_a_file_that_is_found_by_name_has_this_name(folders: tuple[Path, Path]) -> None:
    one, _ = folders
    (one / "scales" / "other.yaml").write_text("extends: tiny\nname: another\n")
    with pytest.raises(ProtocolError, match=r"other.yaml:2: name: the file is found as 'other', so its name must be"):
        load_scale("other")
    assert load_scale(str(one / "scales" / "other.yaml")).name == "another"


def test_the_package_as_a_folder_is_not_a_second_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RDTF_BENCH_PROTOCOLS", str(PACKAGE.resolve()))
    assert load_scale("tiny").name == "tiny"
    assert load_scale(str(PACKAGE.resolve() / "scales" / "tiny.yaml")).model_dump() == load_scale("tiny").model_dump()


def test_a_folder_that_is_not_there_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RDTF_BENCH_PROTOCOLS", "nowhere")
    with pytest.raises(ProtocolError, match="RDTF_BENCH_PROTOCOLS names 'nowhere', and there is no such folder"):
        scale_names()


def test_without_the_variable_only_the_package_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RDTF_BENCH_PROTOCOLS", raising=False)
    with pytest.raises(UnknownNameError, match="there is no protocol 'my-table'"):
        kind_of("my-table")
