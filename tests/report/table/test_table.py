"""The layouts: the same numbers in each, nothing invented where there is none."""

import csv
import io
import json
import math
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest

from rdtf_bench.core.errors import UnknownNameError
from rdtf_bench.report.table.rows import TIDY
from rdtf_bench.run.record import Record
from rdtf_bench.spec.plan import Cell
from rdtf_bench.spec.schema import TableSpec

Show = Callable[..., str]
ROWS = ("Customize-A-Video", "I2V-Adapter", "SimDA", "RDTF")
CONTROLS = ("static", "autoencoder", "other real clips")


def body(markdown: str) -> dict[str, list[str]]:
    """The first cell of each line of the table -> the other cells."""
    lines = [line.strip("| ").split(" | ") for line in markdown.splitlines() if line.startswith("|")]
    return {line[0]: line[1:] for line in lines}


# -- json and csv


def test_json_is_a_list_of_objects_with_exactly_the_columns_and_finite_numbers(show: Show) -> None:
    found = json.loads(show("json"))
    assert len(found) == 4 * 5 + 3 + 3 + 1
    for row in found:
        assert tuple(row) == TIDY
        assert all(math.isfinite(row[name]) for name in ("value", "ci_low", "ci_high", "n"))
    assert found[-1]["paper"] is None


def test_json_of_nothing_is_an_empty_list(show: Show) -> None:
    assert show("json", of={}) == "[]"


def test_a_number_that_is_not_finite_is_an_error_and_not_json(show: Show, records: dict[str, Record]) -> None:
    first = next(iter(records.values()))
    first.scores["fvd"] = replace(first.scores["fvd"], value=math.nan)
    with pytest.raises(ValueError, match="not JSON compliant"):
        show("json")


def test_csv_has_the_jsons_numbers(show: Show) -> None:
    from_csv = list(csv.DictReader(io.StringIO(show("csv"))))
    from_json = json.loads(show("json"))
    assert [float(row["value"]) for row in from_csv] == [row["value"] for row in from_json]
    assert from_csv[0]["paper"] == "451.83"
    assert from_csv[-1]["paper"] == ""
    assert tuple(from_csv[0]) == TIDY


# -- parts of a score


def test_parts_are_columns_without_the_papers_numbers(show: Show, parted: dict[str, Record]) -> None:
    """RDTF: 0.7 and 0.2 of 604.1 [536.1, 672.1]."""
    table = body(show("md", of=parted))
    assert table["RDTF"][-2:] == ["≈422.9 [375.3, 470.5]", "≈120.8 [107.2, 134.4]"]
    assert table["*other real clips* (control)"][-2:] == ["n/a", "n/a"]
    head = show("md", of=parted).splitlines()[0]
    assert head.endswith("| Seconds ↓ (1x8x64x64 cpu fp32) | paper | FVD appearance ↓ (enet-lite0 96px) | FVD motion ↓ "
                         "(enet-lite0 96px) |")  # fmt: skip
    assert show("latex", of=parted).count(r"FVD motion $\downarrow$") == 1


def test_parts_are_rows_of_data(show: Show, parted: dict[str, Record]) -> None:
    rows = {(row["method"], row["metric"]): row for row in json.loads(show("json", of=parted))}
    assert rows["rdtf", "fvd_motion"]["value"] == pytest.approx(0.2 * 604.1)
    assert rows["rdtf", "fvd_motion"]["yardstick"] == "enet-lite0 96px"
    assert ("other_real_clips", "fvd_motion") not in rows


def test_records_without_parts_have_no_columns_for_them_and_the_footer_says_so(
    show: Show, parted: dict[str, Record]
) -> None:
    assert "FVD appearance and FVD motion: n/a." in show("md")
    assert "FVD is at least their sum" in show("md", of=parted)


# -- markdown


def test_markdown_marks_best_second_and_what_is_tied(show: Show) -> None:
    """FVD: SimDA is 8.3 behind with a paired deviation of 11 sqrt(3) = 19. VQA: RDTF is ahead of all, I2V-Adapter not
    of SimDA. CLIP: RDTF is 0.0007 behind I2V-Adapter with 0.0002 sqrt(3), t = 2.02 with 3 degrees of freedom."""
    table = body(show("md"))
    assert [cell.split(" [")[0] for cell in table["RDTF"][::2]] == [
        "≈604.1",
        "**0.512**",
        "≈0.240",
        "**0.57 M**",
        "**12.3 ms**",
    ]
    assert [cell.split(" [")[0] for cell in table["SimDA"][::2]] == [
        "≈612.4",
        "0.447",
        "≈0.239",
        "1.64 M",
        "19.2 ms",
    ]
    assert table["I2V-Adapter"][2].startswith("0.452 ")
    assert table["Customize-A-Video"][6] == "<u>1.56 M</u>"


def test_markdown_shows_ours_with_its_interval_beside_the_papers_as_printed(show: Show) -> None:
    """RDTF's groups move by 20 +- 1: deviation sqrt(3 * 401) = 34.68, times 1.96 is 67.98."""
    assert body(show("md"))["RDTF"][:2] == ["≈604.1 [536.1, 672.1]", "442.18"]
    assert body(show("md"))["RDTF"][6:] == ["**0.57 M**", "0.96 B", "**12.3 ms** [11.9, 12.7]", "0.39 s"]


def test_every_head_names_direction_and_yardstick(show: Show) -> None:
    heads = body(show("md"))["method"][::2]
    assert heads == [
        "FVD ↓ (enet-lite0 96px)",
        "VQA ↑ (toy-fast-vqa 8f 2x2)",
        "CLIP ↑ (toy-clip)",
        "Params ↓ (denoiser)",
        "Seconds ↓ (1x8x64x64 cpu fp32)",
    ]


def test_what_does_not_apply_is_not_applicable_and_what_was_not_measured_is_not_run(
    show: Show, cells: list[Cell], records: dict[str, Record]
) -> None:
    table = body(show("md", of={key: value for key, value in records.items() if key != cells[3].id}))
    assert table["RDTF"][::2] == ["not run"] * 5
    assert table["*other real clips* (control)"][2:] == ["n/a"] * 8


def test_a_pipe_in_a_label_does_not_end_its_cell(
    show: Show, spec: TableSpec, plan_of: Callable[[TableSpec], list[Cell]]
) -> None:
    row = spec.rows[0].model_copy(update={"label": "a|b*c\\"})
    renamed = spec.model_copy(update={"rows": (row, *spec.rows[1:])})
    table = [line for line in show("md", table=renamed, planned=plan_of(renamed)).splitlines() if line.startswith("|")]
    assert table[2].startswith("| a\\|b\\*c\\\\ | 731.2 ")
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in table} == {12}


# -- latex


def test_latex_has_a_line_for_each_row_with_marks_and_the_footer_as_comments(show: Show) -> None:
    lines = show("latex").splitlines()
    assert lines[0] == "% planted: A planted table"
    rows = {line.split(" & ")[0]: line for line in lines if line.endswith("\\\\")}
    assert list(rows) == ["method", *ROWS, *(f"\\emph{{{name}}} (control)" for name in CONTROLS)]
    assert all(row.count(" & ") == 10 for row in rows.values())
    assert "\\shortstack[r]{FVD $\\downarrow$\\\\{\\scriptsize (enet-lite0 96px)}}" in rows["method"]
    assert rows["RDTF"].startswith("RDTF & $\\approx$604.1 {\\scriptsize [536.1, 672.1]} & 442.18 & \\textbf{0.512} ")
    assert " & \\underline{1.56 M} & " in rows["Customize-A-Video"]
    end = lines.index("\\end{tabular}")
    assert all(line == "" or line.startswith("% ") for line in lines[end + 1 :])
    assert any("best (bold) and second best (underlined)" in line for line in lines[end + 1 :])


# -- before the first run


def test_before_the_first_run_every_number_is_not_run_and_no_yardstick_is_claimed(show: Show) -> None:
    text = show("text", of={}, width=200)
    assert text.count(" not run ") >= 4 * 5 + 3 + 3 + 1
    assert "FVD ↓" in text
    assert "enet-lite0" not in text
    assert "rdtf-bench run planted" in text
    assert "best" not in text.split("Yardsticks")[0]


def test_a_value_that_rounds_to_zero_has_no_sign(show: Show, cells: list[Cell], records: dict[str, Record]) -> None:
    floor = records[cells[-1].id]
    floor.scores["fvd"] = replace(floor.scores["fvd"], value=0.01, ci_low=-0.02, ci_high=0.04)
    assert body(show("md"))["*other real clips* (control)"][0] == "0.0 [0.0, 0.0]"


# -- asking for it


def test_an_unknown_format_gets_the_close_match(show: Show) -> None:
    with pytest.raises(UnknownNameError, match=r"'jsn'.*Did you mean 'json'"):
        show("jsn")


def test_a_table_is_made_without_the_heavy_libraries() -> None:
    code = """
import sys
import rdtf_bench.report.table.table, rdtf_bench.report.table.publish
import rdtf_bench.report.figures.gallery, rdtf_bench.report.figures.losses
heavy = {"torch", "mlflow", "diffusers", "open_clip", "torchmetrics", "pandas", "scipy", "matplotlib", "PIL"}
print(sorted(heavy & set(sys.modules)))
import PIL
assert heavy & set(sys.modules) == {"PIL"}  # so the line above could have found it
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
