import pytest
from jinja2 import UndefinedError

from rdtf_bench.report.page.rendering import render


def test_text_is_escaped_and_the_styles_stand_in_the_page() -> None:
    text = render("index.html", title="<b>Results</b>", entries=[], sections=[])
    assert text.startswith("<!doctype html>")
    assert "<h1>&lt;b&gt;Results&lt;/b&gt;</h1>" in text
    assert "prefers-color-scheme: dark" in text


def test_a_value_that_a_template_lacks_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="'sections' is undefined"):
        render("index.html", title="Results", entries=[])
