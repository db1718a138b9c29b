"""Parameter counts at full size, without any weights: the figures of spec and papers."""

import json

import pytest
from typer.testing import CliRunner

from rdtf_bench.cli import app
from rdtf_bench.core.errors import ProtocolError, UnknownNameError
from rdtf_bench.run.costs.parameters import parameter_counts
from rdtf_bench.spec.load import load_scale


def test_rdtf_at_paper_scale_counts_what_is_published() -> None:
    counts = parameter_counts("rdtf", load_scale("paper"))
    assert counts == {
        "base": 0,
        "trainable": 960_118_452,
        "total": 960_118_452,
        "autoencoder": 83_653_863,
        "text_encoder": 352_984_064,
        "t5_encoder": 109_628_544,
    }


def test_a_scale_decides_the_size() -> None:
    assert parameter_counts("rdtf", load_scale("tiny"))["total"] < 5e6
    assert 1e8 < parameter_counts("rdtf", load_scale("gpu"))["total"] < 9e8


def test_an_unknown_method_and_one_that_the_scale_leaves_out_are_named() -> None:
    scale = load_scale("tiny")
    with pytest.raises(UnknownNameError, match="Did you mean 'rdtf'"):
        parameter_counts("rdft", scale)
    with pytest.raises(ProtocolError, match="methods has no 'simda'"):
        parameter_counts("simda", scale.model_copy(update={"methods": {"rdtf": scale.methods["rdtf"]}}))


def test_options_change_what_is_counted() -> None:
    scale = load_scale("paper")
    assert parameter_counts("simda", scale)["trainable"] == 24_855_680
    assert parameter_counts("simda", scale, {"places": "all"})["trainable"] == 34_712_960
    released = parameter_counts("i2v_adapter", scale, {"variant": "released"})
    assert (released["trainable"], released["total"]) == (12_902_400, 1_318_050_004)
    assert released["t5_encoder"] == 109_628_544
    with pytest.raises(ProtocolError, match=r"simda at scale paper: simda has no option rank"):
        parameter_counts("simda", scale, {"rank": 4})


def test_the_command_prints_them_as_json() -> None:
    arguments = ["params", "customize_a_video", "--scale", "paper", "--format", "json", "--option", "motion_rank=8"]
    answer = CliRunner().invoke(app, arguments, catch_exceptions=False)
    counts = json.loads(answer.output)
    assert (counts["base"], counts["trainable"]) == (1_420_469_224, 2 * 831_488)
    assert (counts["total"], counts["absorber"]) == (counts["base"] + counts["trainable"], 829_952)
