"""Parameter counts in each layout."""

import json

import pytest

from rdtf_bench.core.errors import UnknownNameError
from rdtf_bench.report.parameter_counts import render

COUNTS = {"base": 1_200, "trainable": 34, "total": 1_234, "text_encoder": 5}


def test_data_formats_hold_the_bare_counts() -> None:
    assert json.loads(render("simda", "tiny", COUNTS, format="json")) == COUNTS
    assert render("simda", "tiny", COUNTS, format="csv").splitlines() == [
        "component,parameters",
        "base,1200",
        "trainable,34",
        "total,1234",
        "text_encoder,5",
    ]


def test_tables_part_the_denoiser_from_the_networks_beside_it() -> None:
    lines = render("simda", "tiny", COUNTS, format="md").splitlines()
    assert "| total | 1,234 | denoiser |" in lines
    assert "| text_encoder | 5 | beside it |" in lines
    assert r"text\_encoder & 5 & beside it \\" in render("simda", "tiny", COUNTS, format="latex").splitlines()


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'json'"):
        render("simda", "tiny", COUNTS, format="jsn")
