"""What decided a number, as text and as data."""

import copy
import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest

from rdtf_bench.core.errors import UnknownNameError
from rdtf_bench.report.provenance.sources import Recorded, one_table, rows_of
from rdtf_bench.report.provenance.why import HEADINGS, render, why
from rdtf_bench.spec.load import load_scale

PUBLISHED = Path(__file__).parents[3] / "results"


@pytest.fixture(scope="module")
def rdtf(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    store = tmp_path_factory.mktemp("empty")
    return rows_of(one_table("ci"), load_scale("ci"), source=None, store=store, results=PUBLISHED)["RDTF"]


def test_json_holds_every_section_with_the_value_of_the_record(rdtf: Recorded) -> None:
    found = json.loads(render(why(rdtf, "ci", "fvd"), format="json"))
    assert set(found) == set(HEADINGS)
    assert found["number"]["value"] == rdtf.record.scores["fvd"].value
    assert found["samples"]["sha256"] == rdtf.record.samples_sha256
    assert found["repeat"]["replay"] == "rdtf-bench replay ci RDTF fvd"


def test_every_file_of_the_weights_has_its_sha256(rdtf: Recorded) -> None:
    files = why(rdtf, "ci", "fvd")["files"]
    assert files["efficientnet_lite0"] == "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
    assert {len(str(sha256)) for sha256 in files.values()} == {64}


def test_weights_with_other_bytes_here_are_said(rdtf: Recorded) -> None:
    config = copy.deepcopy(rdtf.record.config)
    config["scores"]["fvd"]["assets"]["efficientnet"] = "0" * 16
    other = replace(rdtf, record=replace(rdtf.record, config=config))
    files = why(other, "ci", "fvd")["files"]
    assert str(files["efficientnet_lite0 as efficientnet"]).startswith("The registry here names other bytes")
    assert "efficientnet_lite0" in files  # those of frame_features


def test_text_and_csv_say_the_same_as_json(rdtf: Recorded) -> None:
    decided = why(rdtf, "ci", "fvd")
    text = render(decided, format="text")
    assert text.startswith("ci: RDTF, fvd\n")
    rows = list(csv.DictReader(io.StringIO(render(decided, format="csv"))))
    by_name = {(row["section"], row["name"]): row["value"] for row in rows}
    assert by_name["configuration", "training.num_steps"] == "8"
    assert by_name["code", "commit"] == decided["code"]["commit"]
    assert str(decided["code"]["commit"]) in text


def test_an_unknown_metric_is_said(rdtf: Recorded) -> None:
    with pytest.raises(UnknownNameError, match=r"RDTF: there is no metric 'fdv'\. Did you mean 'fvd'\?"):
        why(rdtf, "ci", "fdv")


def test_a_metric_is_named_in_any_case_of_letters(rdtf: Recorded) -> None:
    assert why(rdtf, "ci", "FVD")["number"]["metric"] == "fvd"


def test_the_command_of_the_replay_takes_the_options_that_found_the_record(rdtf: Recorded) -> None:
    repeat = why(rdtf, "ci", "fvd", options=("--scale", "my scale.yaml", "--store", "elsewhere"))["repeat"]
    assert repeat["replay"] == "rdtf-bench replay ci RDTF fvd --scale 'my scale.yaml' --store elsewhere"
