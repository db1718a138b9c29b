"""Files that extend others: what is merged, and where a fault is told."""

from pathlib import Path
from typing import Any

import pytest

from rdtf_bench.core.errors import ProtocolError
from rdtf_bench.run.protocols import load_table
from rdtf_bench.spec import document
from rdtf_bench.spec.load import load_scale

BASE = """
name: base
numbers: [1, 2, 3]
training: {steps: 400, batch: 8, options: {width: 32, depth: 2}}
"""


def merged(tmp_path: Path, text: str) -> document.Document:
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "mine.yaml").write_text(f"extends: base.yaml\nname: mine\n{text}")
    return document.read(tmp_path / "mine.yaml")


@pytest.mark.parametrize(
    ("text", "changed"),
    [
        ("", {}),
        ("training: {steps: 1}", {"training": {"steps": 1, "batch": 8, "options": {"width": 32, "depth": 2}}}),
        (
            "training: {options: {width: 8}}",
            {"training": {"steps": 400, "batch": 8, "options": {"width": 8, "depth": 2}}},
        ),
        ("training: {options: null}", {"training": {"steps": 400, "batch": 8}}),
        ("training: 7", {"training": 7}),
        (
            "training: {steps: {a: 1}}",
            {"training": {"steps": {"a": 1}, "batch": 8, "options": {"width": 32, "depth": 2}}},
        ),
        ("numbers: [9]", {"numbers": [9]}),
        ("numbers: {a: 1}", {"numbers": {"a": 1}}),
        ("more: {a: [null]}", {"more": {"a": [None]}}),
    ],
)
def test_mappings_are_merged_and_everything_else_is_replaced(
    text: str, changed: dict[str, Any], tmp_path: Path
) -> None:
    whole = {
        "name": "mine",
        "numbers": [1, 2, 3],
        "training": {"steps": 400, "batch": 8, "options": {"width": 32, "depth": 2}},
    }
    found = merged(tmp_path, text)
    assert found.content == {**whole, **changed}
    assert found.faults == []


def test_null_removes_a_key_and_a_key_that_is_not_there_is_a_fault(tmp_path: Path) -> None:
    found = merged(tmp_path, "training:\n  step: null\n  new: {a: null}\n")
    assert [str(fault).replace(f"{tmp_path}/", "") for fault in found.faults] == [
        "mine.yaml:4: training.step: null removes a key, and base.yaml has no such key. Did you mean 'steps'?",
        "mine.yaml:5: training.new.a: null removes a key, and base.yaml has no such key.",
    ]
    assert "numbers" not in merged(tmp_path, "numbers: null").content


def test_every_value_has_the_line_of_the_file_it_came_from(tmp_path: Path) -> None:
    found = merged(tmp_path, "training:\n  options:\n    depth: 3\nnumbers: [9]\n")
    lines = {place: (line.file.name, line.number) for place, line in found.lines.items()}
    assert lines["training", "options", "depth"] == ("mine.yaml", 5)
    assert lines["training", "options", "width"] == ("base.yaml", 4)
    assert lines["numbers", 0] == ("mine.yaml", 6)
    assert ("numbers", 1) not in lines


def test_a_chain_takes_the_nearest_value_and_paths_are_relative_to_the_file_that_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "far.yaml").write_text("extends: tiny\nname: far\nversion: 7\ntraining: {num_steps: 5, batch_size: 2}")
    (tmp_path / "a" / "middle.yml").write_text("extends: ../far.yaml\nname: middle\ntraining: {num_steps: 6}")
    (tmp_path / "a" / "b" / "near.yaml").write_text("extends: ../middle.yml\nname: near\nclip: {size_px: 32}")
    monkeypatch.chdir(tmp_path / "a")
    scale, tiny = load_scale("b/near.yaml"), load_scale("tiny")
    assert (scale.name, scale.version, scale.title) == ("near", 7, tiny.title)
    assert (scale.training.num_steps, scale.training.batch_size) == (6, 2)
    assert scale.training.warmup_steps == tiny.training.warmup_steps
    assert (scale.clip.size_px, scale.methods) == (32, tiny.methods)


def test_files_in_a_circle_are_an_error_that_names_the_chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, base in {"a": "b", "b": "c", "c": "b"}.items():
        Path(f"{name}.yaml").write_text(f"name: {name}\nextends: {base}.yaml")
    with pytest.raises(ProtocolError) as e:
        load_scale("a.yaml")
    assert str(e.value) == (
        "c.yaml:2: extends: the files extend each other in a circle: "
        "a.yaml extends b.yaml extends c.yaml extends b.yaml"
    )
    Path("self.yaml").write_text("extends: ./self.yaml")
    with pytest.raises(ProtocolError, match=r"circle: self.yaml extends self.yaml"):
        load_scale("self.yaml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("extends: tinny\nname: mine", "mine.yaml:1: extends: there is no scale 'tinny'. Did you mean 'tiny'?"),
        ("name: mine\nextends: bse.yaml", "mine.yaml:2: extends: {folder}/bse.yaml: there is no such file"),
        ("extends: [tiny]", "mine.yaml:1: extends: the name or the path of one file is needed here"),
        ("extends: table1\nname: mine", "mine.yaml:1: extends: there is no scale 'table1'"),
        ("extends: tiny", "mine.yaml:1: name: this key is missing"),
        ("extends: tiny\nname: tiny", "mine.yaml:2: name: the package has this name"),
        ("extends: tiny\nname: small", "mine.yaml:2: name: the package has this name"),
        ("extends: base.yaml\nname: base", "mine.yaml:2: name: {folder}/base.yaml has this name"),
        (
            "extends: base.yaml\nname: mine",
            "{folder}/base.yaml:5: training.num_stepz: there is no such key. Did you mean",
        ),
        ("extends: list.yaml\nname: mine", "list.yaml:1: the file holds a list"),
        ("extends: tiny\nname: mine\ntraining:\n  num_steps: 0", "mine.yaml:4: training.num_steps: Input should be"),
        ("extends: tiny\nname: mine\nworkers: null", "mine.yaml:3: workers: this key is missing"),
        (
            "extends: tiny\nname: mine\nmethods:\n  new:\n    eta: 1.0",
            "mine.yaml:4: methods.new.learning_rate: this key is missing",
        ),
    ],
)
def test_faults_are_told_with_the_line_of_the_file_that_has_them(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(text)
    (tmp_path / "base.yaml").write_text("extends: tiny\nname: base\ntraining:\n  num_steps: 3\n  num_stepz: 3\n")
    (tmp_path / "list.yaml").write_text("[]")
    with pytest.raises(ProtocolError) as e:
        load_scale(str(tmp_path / "mine.yaml"))
    assert said.format(folder=tmp_path) in str(e.value)


def test_a_fault_of_a_table_that_is_extended_names_the_table(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("extends: table1\nname: mine\nmetrics: [fvd, vqa, clip, params]\n")
    with pytest.raises(ProtocolError) as e:
        load_table(str(tmp_path / "mine.yaml"))
    assert "protocols/table1.yaml:17: rows.0.paper: row 'Customize-A-Video' quotes ['seconds']" in str(e.value)


def test_a_users_scale_of_eight_lines_and_table_load_from_an_empty_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my_scale.yaml").write_text(
        "extends: tiny\n"
        "name: my-scale\n"
        'title: "tiny, half the steps, a narrower RDTF"\n'
        "training:\n"
        "  num_steps: 200\n"
        "methods:\n"
        "  rdtf: {learning_rate: 2.0e-3, options: {block_out_channels: [16, 32]}}\n"
        "  customize_a_video: null\n"
    )
    Path("my_table.yaml").write_text(
        "extends: table1\n"
        "name: my-table\n"
        'title: "RDTF with and without its curriculum"\n'
        "rows:\n"
        "  - {label: RDTF, method: rdtf}\n"
        '  - {label: "RDTF, no curriculum", method: rdtf, options: {curriculum: none}}\n'
    )
    scale, table = load_scale("my_scale.yaml"), load_table("./my_table.yaml")
    assert (scale.training.num_steps, scale.training.batch_size) == (200, 8)
    assert scale.methods["rdtf"].options["block_out_channels"] == (16, 32)
    assert scale.methods["rdtf"].options["t5_length"] == 48
    assert sorted(scale.methods) == ["i2v_adapter", "rdtf", "simda", "video_unet"]
    assert (table.dataset, table.metrics) == ("asg", load_table("table1").metrics)
    assert [row.options for row in table.rows] == [{}, {"curriculum": "none"}]
