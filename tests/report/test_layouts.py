"""One report in each layout: the same words, escaped so that nothing in them changes the layout."""

import csv
import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from rdtf_bench.core.errors import UnknownNameError
from rdtf_bench.report import layouts
from rdtf_bench.report.layouts import Cell, Table

TABLE = Table(
    heading="A heading",
    head=("method", Cell(text="FVD ↓", small="(enet_lite0 96px)"), "paper"),
    groups=[
        [
            ["RDTF", Cell(text="604.1", mark="best", small="[536.1, 672.1]"), "442.18"],
            ["SimDA", Cell(text="612.4", mark="second"), "448.36"],
            ["I2V-Adapter", Cell(text="620.0", mark="tied"), "n/a"],
        ],
        [[Cell(text="static", mark="control"), "-8.5", "n/a"]],
    ],
)
SPECIAL = r"\ { } $ & # _ % ~ ^ < > |"


def test_an_unknown_format_gets_the_close_match_and_a_known_one_passes() -> None:
    with pytest.raises(
        UnknownNameError, match=r"no format 'latx'\. Did you mean 'latex'\? Known: csv, json, latex, md"
    ):
        layouts.require_format("latx")
    for format in layouts.FORMATS:
        layouts.require_format(format)


# -- csv and json


def test_csv_quotes_commas_and_leaves_absent_values_empty() -> None:
    text = layouts.as_csv([{"a": 1, "b": 'x, "y"'}, {"a": 2}], ("a", "b"))
    assert text == 'a,b\n1,"x, ""y"""\n2,'
    assert list(csv.DictReader(io.StringIO(text))) == [{"a": "1", "b": 'x, "y"'}, {"a": "2", "b": ""}]


def test_json_refuses_what_is_not_finite_and_keeps_other_alphabets() -> None:
    assert json.loads(layouts.data([{"a": "Sticker ↓"}], ("a",), format="json")) == [{"a": "Sticker ↓"}]
    assert "↓" in layouts.as_json(["↓"])
    with pytest.raises(ValueError, match="not JSON compliant"):
        layouts.as_json([float("nan")])


def test_joined_csv_keeps_each_value_below_its_own_column() -> None:
    one = layouts.as_csv([{"a": 1, "b": 2}], ("a", "b"))
    other = layouts.as_csv([{"b": 3, "c": 4}], ("b", "c"))
    assert layouts.joined([one, other], format="csv") == "a,b,c\n1,2,\n,3,4"


def test_joined_json_is_one_list_and_joined_text_one_below_the_other() -> None:
    assert json.loads(layouts.joined(['[{"a": 1}]', '[{"a": 2}]'], format="json")) == [{"a": 1}, {"a": 2}]
    assert layouts.joined(["one", "two"], format="md") == "one\n\ntwo"


# -- text


def test_text_aligns_words_left_and_numbers_right_with_a_rule_between_groups() -> None:
    assert layouts.document([TABLE], ["a note"], format="text", title="table1: a title") == (
        "table1: a title\n"
        "\n"
        "A heading\n"
        "method            FVD ↓ (enet_lite0 96px)   paper\n"
        "-------------------------------------------------\n"
        "RDTF               *604.1* [536.1, 672.1]  442.18\n"
        "SimDA                             _612.4_  448.36\n"
        "I2V-Adapter                        ≈620.0     n/a\n"
        "-------------------------------------------------\n"
        "static (control)                     -8.5     n/a\n"
        "\n"
        "a note"
    )


def test_a_note_is_wrapped_and_its_later_lines_are_indented() -> None:
    assert layouts.wrapped(["one two three", "four"], 8) == ["one two", "  three", "four"]


# -- markdown


def test_markdown_marks_and_aligns() -> None:
    assert layouts.document([TABLE], ["a *note*"], format="md", title="not shown") == (
        "### A heading\n"
        "\n"
        "| method | FVD ↓ (enet_lite0 96px) | paper |\n"
        "| :--- | ---: | ---: |\n"
        "| RDTF | **604.1** [536.1, 672.1] | 442.18 |\n"
        "| SimDA | <u>612.4</u> | 448.36 |\n"
        "| I2V-Adapter | ≈620.0 | n/a |\n"
        "| *static* (control) | -8.5 | n/a |\n"
        "\n"
        "- a \\*note\\*"
    )


def test_nothing_in_a_markdown_cell_ends_it() -> None:
    table = Table(head=("a", "b"), groups=[[["x|y\\", "<b>\n*"]]])
    assert layouts.document([table], format="md").splitlines()[-1] == r"| x\|y\\ | \<b> \* |"


# -- latex


def test_latex_has_booktabs_rules_marks_and_the_yardstick_in_the_head() -> None:
    assert layouts.document([TABLE], ["a note", "100 %"], format="latex", title="table1: a title") == (
        "% table1: a title\n"
        "% Needs \\usepackage{booktabs} in the preamble.\n"
        "\n"
        "% A heading\n"
        "\\begin{tabular}{lrr}\n"
        "\\toprule\n"
        "method & \\shortstack[r]{FVD $\\downarrow$\\\\{\\scriptsize (enet\\_lite0 96px)}} & paper \\\\\n"
        "\\midrule\n"
        "RDTF & \\textbf{604.1} {\\scriptsize [536.1, 672.1]} & 442.18 \\\\\n"
        "SimDA & \\underline{612.4} & 448.36 \\\\\n"
        "I2V-Adapter & $\\approx$620.0 & n/a \\\\\n"
        "\\midrule\n"
        "\\emph{static} (control) & $-$8.5 & n/a \\\\\n"
        "\\bottomrule\n"
        "\\end{tabular}\n"
        "\n"
        "% a note\n"
        "% 100 %"
    )


def test_every_special_character_of_latex_is_escaped() -> None:
    escaped = layouts.latex_text(SPECIAL)
    assert escaped == (
        r"\textbackslash{} \{ \} \$ \& \# \_ \% \textasciitilde{} \textasciicircum{} "
        r"\textless{} \textgreater{} \textbar{}"
    )


def test_only_a_minus_sign_becomes_mathematics() -> None:
    assert layouts.latex_text("I2V-Adapter [-1.5, -0.2] 1e-5 a - b") == "I2V-Adapter [$-$1.5, $-$0.2] 1e-5 a - b"


@pytest.mark.parametrize("label", ["[a]", "*b"])
def test_a_row_of_latex_that_starts_with_a_bracket_or_star_is_no_argument_of_the_row_above(label: str) -> None:
    table = Table(head=("a", "b"), groups=[[["x", "1"], [label, "2"]]])
    assert f"{{}}{label} & 2 \\\\" in layouts.document([table], format="latex").splitlines()


def test_no_note_leaves_its_latex_comment() -> None:
    said = layouts.document([TABLE], ["two\nlines " + "and many words " * 20], format="latex")
    below = said.split("\\end{tabular}\n\n")[1]
    assert len(below.splitlines()) > 2
    assert all(line.startswith("% ") for line in below.splitlines())


def test_every_row_of_latex_has_as_many_cells_as_the_table_has_columns() -> None:
    table = Table(head=("a", "b & c", "d"), groups=[[["x & y", SPECIAL, "1"]], [["[z", "&&", ""]]])
    lines = layouts.document([table], format="latex").splitlines()
    rows = [line for line in lines if line.endswith("\\\\")]
    assert [len(re.findall(r"(?<!\\)&", row)) for row in rows] == [2, 2, 2]


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="there is no pdflatex")
def test_latex_compiles(tmp_path: Path) -> None:
    table = Table(head=("a", SPECIAL), groups=[TABLE.groups[0][:0], [["[x]", SPECIAL], ["*", "±1 … ≈ −2"]]])
    body = layouts.document([TABLE, table], [SPECIAL], format="latex", title=SPECIAL)
    preamble = "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\n"
    (tmp_path / "table.tex").write_text(f"{preamble}{body}\n\\end{{document}}\n", encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "table.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
