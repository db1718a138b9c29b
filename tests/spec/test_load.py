from pathlib import Path
from typing import get_args

import pytest
from pydantic import ValidationError

from rdtf_bench import catalog
from rdtf_bench.core.errors import ProtocolError, UnknownNameError
from rdtf_bench.core.store import key_of
from rdtf_bench.diffusion.masks import TASKS
from rdtf_bench.run.protocols import ablation, known_names, load_table, load_tables
from rdtf_bench.spec.document import FaultyFileError
from rdtf_bench.spec.load import (
    is_scale,
    kind_of,
    load,
    load_costs,
    load_protocol,
    load_scale,
    load_sheet,
    load_validity,
    protocol_names,
    scale_names,
    show_scale,
)
from rdtf_bench.spec.places import PROTOCOLS, names
from rdtf_bench.spec.schema import PaperValue, Part, TableSpec, ValiditySpec, from_plain


class Pair(Part):
    numbers: tuple[int, int]


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
        load("table", str(path))
    return str(e.value)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("seeds:", "seedz:", "t.yaml:10: seedz: there is no such key. Did you mean 'seeds'?"),
        ("version: 1", "version: '1'", "t.yaml:3: version: Input should be a valid integer"),
        ("known_frames: keep", "known_frames: kep", "t.yaml:8: known_frames: Input should be 'overwrite' or 'keep'"),
        ("task: it2v", "task: it3v", "t.yaml:7: task: Input should be 'it2v', 'i2v'"),
        ("name: t", "name: a b", "t.yaml:2: name: String should match pattern"),
        ("name: t", "name: table1", "t.yaml:2: name: the package has this name"),
        ("name: t", "name: table6", "t.yaml:2: name: the package has this name"),
        (
            "method: rdtf",
            "method: rdtf, paper: {vqa: {value: '1', source: s}}",
            "rows.0.paper: row 'ours' quotes ['vqa']",
        ),
        ("method: rdtf", "method: rdtf, paper: {fvd: {value: 1.0, source: s}}", "paper.fvd.value: Input should be"),
        ("method: rdtf", "method: rdtf, options: {a: {}}", "rows.0.options.a: Input should be a valid integer, or a "),
        ("method: rdtf", "method: rdtf, options: {a: .inf}", "rows.0.options.a: Input should be a valid integer"),
        ("version: 1", "version: 1\nversion: 2", "t.yaml:4: version: the key is written twice, first in line 3"),
        ("version: 1", "version: 1\n<<: {title: x}", "t.yaml:4: this is not YAML: the key << is not supported"),
        ("version: 1", "version: 1\nyes: 1", "t.yaml:4: yes: YAML reads this key as bool, not as text"),
        ("version: 1", "version: !!set {a, b}", "t.yaml:3: version: a value of type set has no place in these files"),
        (
            "version: 1",
            "version: 1\nmethods: {}",
            "t.yaml:4: methods: a file of kind table has no such key, one of kind",
        ),
        ("version: 1", "version: 1\nkind: scal", "t.yaml:4: kind: there is no kind 'scal'. Did you mean 'scale'?"),
        (
            "version: 1",
            "version: 1\nkind: sheet",
            "t.yaml:4: kind: the file is of kind sheet, and one of kind table is",
        ),
        ("rows: [", "rows: [[", "t.yaml:13: this is not YAML: while parsing a flow sequence"),
        ("version: 1", "version: \x01", "t.yaml:3: this is not YAML: the character '\\x01'"),
        ("version: 1", "version: &a [*a]", "t.yaml:3: this is not YAML: found unconstructable recursive node"),
    ],
)
def test_a_wrong_file_is_refused_by_field(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert said in said_of(tmp_path, old, new)


def test_every_fault_is_told_at_once_in_the_order_of_the_lines(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    wrong = {
        "version: 1": "version: 0",
        "asg": "agg",
        "[fvd]": "[vqa, fvdd]",
        "static": "statik",
        "method: rdtf": "method: x",
    }
    text = GOOD
    for old, new in wrong.items():
        text = text.replace(old, new)
    path.write_text(text + "version: 1\n")
    with pytest.raises(FaultyFileError, match=r"t.yaml has 5 faults") as e:
        load_table(str(path))
    assert [fault.removeprefix(f"{path}:").partition(" Known")[0] for fault in e.value.faults] == [
        "6: dataset: there is no dataset 'agg'. Did you mean 'asg'?",
        "9: metrics.1: there is no metric 'fvdd'. Did you mean 'fvd'?",
        "11: controls.0: there is no control 'statik'. Did you mean 'static'?",
        "12: rows.0.method: there is no method 'x'.",
        "13: version: the key is written twice, first in line 3",
    ]


def test_dates_are_text(tmp_path: Path) -> None:
    path = tmp_path / "t.yaml"
    path.write_text(GOOD.replace("title: A table", "title: 2020-01-01"))
    assert load_table(str(path)).title == "2020-01-01"


def test_plain_values_are_read_as_strictly_as_a_file() -> None:
    assert from_plain(Pair, {"numbers": [1, 2]}).numbers == (1, 2)
    for wrong in ({"numbers": ["1", 2]}, {"numbers": [1, Path("2")]}, {"numbers": [1, 2], "more": 3}):
        with pytest.raises(ValidationError):
            from_plain(Pair, wrong)


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


@pytest.mark.parametrize("name", names("sheet"))
def test_every_sheet_loads_and_is_named_as_its_file(name: str) -> None:
    assert load_sheet(name).name == name


def test_ablations_go_by_their_short_names_and_seeds_are_counted_from_0() -> None:
    assert ablation("gains") == "ablate-gains"
    with pytest.raises(UnknownNameError, match="Did you mean 'gains'"):
        ablation("gain")
    (spec,) = load_tables("table4", 3)
    assert spec.seeds == (0, 1, 2)
    assert load_tables("table4")[0].seeds == (0,)


def test_the_tasks_of_a_table_are_those_that_have_masks() -> None:
    assert get_args(TableSpec.model_fields["task"].annotation) == tuple(TASKS)


RESOLVED = {
    "ci": "07bc6f9ea571fbdd",
    "gpu": "823dd71bfc90c340",
    "paper": "4542e5c07f8b9337",
    "small": "c564a3e21ed48156",
    "tiny": "db60a67916a163ff",
}
"""Hashes of the scales with everything that they extend. A change of a scale moves its hash; a change that can move a
number raises its version, too, which a method that joins does not."""


@pytest.mark.parametrize("name", scale_names())
def test_a_scale_that_extends_another_says_what_it_said_in_full(name: str) -> None:
    assert key_of(load_scale(name).model_dump(mode="json", exclude_defaults=True)) == RESOLVED[name]


def test_a_no_without_quotes_is_explained(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text("extends: gpu\nname: s\ntraining: {mixed_precision: no}\n")
    with pytest.raises(ProtocolError, match=r"'bf16' or 'fp16'; YAML reads no without quotes as false"):
        load_scale(str(tmp_path / "s.yaml"))


def test_a_job_samples_and_observes_whole_batches(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("{extends: tiny, name: mine, sampling: {batch_size: 12, clips_per_job: 64}}")
    with pytest.raises(ProtocolError, match="64 must be a multiple of batch_size and of 16"):
        load_scale(str(path))
    path.write_text("{extends: tiny, name: mine, sampling: {batch_size: 12, clips_per_job: 96}}")
    assert load_scale(str(path)).sampling.clips_per_job == 96


def test_the_names_in_the_scales_and_in_every_kind_of_protocol_are_in_the_catalog() -> None:
    for name in scale_names():
        load_scale(name, known_names())
    for kind in PROTOCOLS:
        for name in names(kind):
            assert load(kind, name, known_names()).name == name


def test_a_scale_is_shown_with_all_that_it_extends_and_every_default(tmp_path: Path) -> None:
    text = show_scale("small")
    assert "extends" not in text
    path = tmp_path / "mine.yaml"
    path.write_text(text.replace("name: small", "name: mine"))
    assert load_scale(str(path)).model_dump() == {**load_scale("small").model_dump(), "name": "mine"}


def test_a_command_names_a_file_as_it_was_loaded(tmp_path: Path) -> None:
    path = tmp_path / "my table.yaml"
    path.write_text("{extends: table1, name: mine}")
    spec = load_protocol(str(path))
    assert spec.as_argument == f"'{path}'"
    assert spec.model_copy(update={"seeds": (0, 1)}).as_argument == spec.as_argument
    assert load_protocol("table1").as_argument == "table1"
    assert load_scale("tiny").as_argument == "tiny"


def test_the_kind_of_a_name_is_that_of_its_folder() -> None:
    names = ("table1", "table2", "table8", "table6", "metric-validity", "figure3", "table5")
    kinds = {name: kind_of(name) for name in names}
    assert kinds == dict(zip(kinds, PROTOCOLS, strict=True))
    assert [is_scale(name) for name in ("tiny", "table1", "ci")] == [True, False, False]  # ci is a table, too
    with pytest.raises(ProtocolError, match=r"'table6' is of kind sheet .*; one of kind costs is needed here"):
        load_costs("table6")


def test_the_kind_of_a_file_is_stated_or_that_of_what_it_extends(tmp_path: Path) -> None:
    def kind(text: str, name: str = "mine.yaml") -> str:
        (tmp_path / name).write_text(text)
        return "scale" if is_scale(str(tmp_path / name)) else kind_of(str(tmp_path / name))

    assert kind("name: mine") == "table"
    assert kind("kind: costs") == "costs"
    assert kind("extends: table6") == "sheet"
    assert kind("extends: tiny") == "scale"
    assert kind("extends: mine.yaml", "second.yaml") == "scale"
    assert kind("{extends: ci, kind: scale}") == "scale"
    assert kind("{extends: ci, kind: table}") == "table"
    with pytest.raises(ProtocolError, match=r"extends: 'ci' is a scale and a protocol: state the `kind`"):
        kind("{extends: ci, name: mine, workers: 2}")
    (tmp_path / "scale.yml").write_text("extends: tiny")
    with pytest.raises(ProtocolError, match=r"scale.yml is a scale and a protocol is needed here. Give it to --scale"):
        kind_of(str(tmp_path / "scale.yml"))


def test_a_file_in_the_current_folder_is_offered_for_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine.yaml").write_text("extends: tiny\nname: mine")
    with pytest.raises(UnknownNameError, match=r"For the file in this folder, write ./mine.yaml"):
        load_scale("mine")
    assert load_scale("./mine.yaml").name == "mine"


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (
            "mime.yaml",
            r"mime.yaml: there is no such file. Did you mean 'mine.yaml'\? In . there are mine.yaml, other.yml.",
        ),
        ("nowhere/mine.yaml", "nowhere/mine.yaml: there is no folder nowhere"),
        ("empty/mine.yaml", "there is no such file. In empty there are no YAML files."),
        ("./", ". is a folder and a file is needed. In . there are mine.yaml, other.yml."),
        ("mine.yaml/other.yaml", "mine.yaml/other.yaml cannot be read: Not a directory"),
        ("other.yml", "other.yml:1: the file is empty"),
    ],
)
def test_a_path_without_a_file_is_told_what_there_is(
    path: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("empty").mkdir()
    Path("mine.yaml").write_text("extends: tiny\nname: mine")
    Path("other.yml").touch()
    with pytest.raises(ProtocolError, match=said):
        load_scale(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"# nothing\n", "mine.yaml:1: the file is empty"),
        (b"\n- a\n- b\n", "mine.yaml:2: the file holds a list, and a mapping of keys to values is needed"),
        (b"just text", "mine.yaml:1: the file holds a str, and a mapping"),
        (b"title: \xff", "mine.yaml is not in UTF-8: its byte 8 is 0xff"),
        (b"a: 1\n---\nb: 2\n", "mine.yaml:2: this is not YAML: expected a single document in the stream"),
    ],
)
def test_a_file_without_a_mapping_is_refused(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_bytes(content)
    with pytest.raises(ProtocolError, match=said):
        load_table(str(path))


OF_EVERY_METHOD = ("ablate-baselines", "ablate-known-frames", "ablate-parts", "ablate-sampler")
OF_RDTF = [name for name in protocol_names() if name.startswith("ablate-") and name not in OF_EVERY_METHOD]


@pytest.mark.parametrize("name", ["table3", "table4", "figure8", *OF_RDTF])
def test_an_ablation_leaves_one_row_as_it_is(name: str) -> None:
    """Check that it is the row of table1, so that its training is shared."""
    assert [row.method for row in load_protocol(name).rows if not row.options].count("rdtf") == 1


def test_rules_for_short_clips_are_of_one_network_and_of_frames_at_equal_intervals() -> None:
    spec = load_validity("fvd-8-frames").model_dump()
    with pytest.raises(ValidationError, match="of 16 frames 6 cannot be shown at equal intervals"):
        ValiditySpec.model_validate({**spec, "short_clips": {**spec["short_clips"], "shown": 6}})
    with pytest.raises(ValidationError, match="for one metric and one network"):
        ValiditySpec.model_validate({**spec, "networks": {}})
    with pytest.raises(ValidationError, match=r"\['vqa'\], which this protocol does not measure"):
        ValiditySpec.model_validate({**spec, "networks": {**spec["networks"], "vqa": ("x",)}})
