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
from rdtf_bench.report.table.grid import Column
from rdtf_bench.report.table.rows import TIDY
from rdtf_bench.report.table.table import render
from rdtf_bench.run.record import Record
from rdtf_bench.spec.identities import ControlSamples, TrainedSamples
from rdtf_bench.spec.load import load_scale
from rdtf_bench.spec.plan import Cell, Constants
from rdtf_bench.spec.schema import Scale, TableSpec

Show = Callable[..., str]
ROWS = ("Customize-A-Video", "I2V-Adapter", "SimDA", "RDTF")
CONTROLS = ("static", "autoencoder", "noise\\_floor")


@pytest.fixture
def show(spec: TableSpec, scale: Scale, cells: list[Cell], records: dict[str, Record], constants: Constants) -> Show:
    def rendered(
        format: str,
        *,
        of: dict[str, Record] = records,
        planned: list[Cell] = cells,
        width: int | None = None,
        styled: bool = False,
        table: TableSpec = spec,
    ) -> str:
        return render(table, scale, planned, of, format=format, width=width, styled=styled, constants=constants)

    return rendered


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


# -- markdown


def test_markdown_marks_best_second_and_what_is_tied(show: Show) -> None:
    """FVD: SimDA is 8.3 behind with a paired deviation of 11 sqrt(3) = 19. VQA: RDTF is ahead of all, I2V-Adapter not
    of SimDA. CLIP: RDTF is 0.0007 behind I2V-Adapter with 0.0002 sqrt(3), z = 2.02, p = 0.043, which Holm doubles."""
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
    assert table["*noise_floor* (control)"][2:] == ["n/a"] * 8


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


# -- text


@pytest.mark.parametrize("width", [200, 120, 100, 80, 60, 44])
def test_text_keeps_to_the_width_and_breaks_no_number(show: Show, width: int) -> None:
    text = show("text", width=width)
    assert max(map(len, text.splitlines())) <= width
    for whole in ("[536.1, 672.1]", "≈604.1", "≈612.4", "442.18", "0.96 B", "*12.3 ms*", "[11.9, 12.7]"):
        assert whole in text


def test_a_wide_terminal_has_value_and_interval_side_by_side(show: Show) -> None:
    assert re.search(r"^RDTF +≈604\.1 \[536\.1, 672\.1\] +442\.18 ", show("text", width=200), re.MULTILINE)


def test_120_columns_hold_the_table_in_one_piece(show: Show) -> None:
    assert len(re.findall("^SimDA ", show("text", width=120), re.MULTILINE)) == 1


def test_80_columns_hold_it_in_two_with_every_row_in_both(show: Show) -> None:
    text = show("text", width=80)
    blocks = [re.findall(rf"^{label} ", text, re.MULTILINE) for label in ("SimDA", "RDTF", "static", "noise_floor")]
    assert [len(found) for found in blocks] == [2, 2, 2, 2]


def test_a_rule_parts_methods_from_controls(show: Show) -> None:
    lines = show("text", width=200).splitlines()
    rules = [index for index, line in enumerate(lines) if line.startswith("────")]
    assert len(rules) == 2
    assert lines[rules[1] - 1].startswith("RDTF")
    assert lines[rules[1] + 1].startswith("static")


def test_a_styled_table_is_bold_and_underlined_instead_of_starred(show: Show) -> None:
    text = show("text", width=200, styled=True)
    assert "\x1b[1m0.57 M\x1b[0m" in text
    assert "\x1b[4m1.56 M\x1b[0m" in text
    assert "*0.57 M*" not in text


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
    assert body(show("md"))["*noise_floor* (control)"][0] == "0.0 [0.0, 0.0]"


# -- what is said below


def test_the_footer_counts_what_was_trained_and_discarded_too(
    show: Show, cells: list[Cell], records: dict[str, Record]
) -> None:
    tuned = next(cell for cell in cells if cell.method == "customize_a_video")
    records[tuned.id].components["absorber"] = 4_321
    assert "Customize-A-Video: trained for it2v" in show("md")
    assert show("md").count("61,234 trainable parameters and 4,321 of the absorber") == 1


def test_the_footer_names_sizes_budgets_data_and_the_intervals_meaning(show: Show) -> None:
    text = show("md")
    scale = load_scale("tiny")
    budget, rdtf, simda = scale.training, scale.methods["rdtf"], scale.methods["simda"]
    guided = f"guidance {rdtf.guidance_text:g} (text) {rdtf.guidance_image:g} (image)"
    for fact in (
        "clips of 8 frames at 64x64 px",
        f"trained for {budget.num_steps} steps at batch size {budget.batch_size} and sampled with "
        f"{scale.sampling.num_steps} DDIM steps. Weights, data order and noise are drawn from seed 0.",
        f"learning rate {rdtf.learning_rate:g}, eta {rdtf.eta:g}, {guided}, 61,234 trainable parameters",
        f"SimDA: trained for it2v, learning rate {simda.learning_rate:g}, eta {simda.eta:g}",
        "± 1.96 standard deviations of the delete-a-group jackknife, for the expected value at n = 128 test clips. "
        "Each method was trained with one seed",
        "compare rows with each other and not our columns with the paper's",
        "source toy; in use: train 640, validation 128, test 128",
        "left out short: train 0, validation 2, test 3; 0 skipped broken",
        "FVD better: Customize-A-Video, I2V-Adapter, SimDA, RDTF.",
        "VQA worse: Customize-A-Video, I2V-Adapter, SimDA, RDTF.",
    ):
        assert fact in text
    assert "0123456789abcdef" not in text
    assert "WARNING" not in text


def test_few_clips_are_warned_about_first(show: Show, records: dict[str, Record]) -> None:
    for record in records.values():
        for metric, score in record.scores.items():
            if score.without_group:
                record.scores[metric] = replace(score, n=65)
    notes = [line for line in show("md").splitlines() if line.startswith("- ")]
    assert notes[1].startswith("- WARNING: only 65 clips. Below 128")


def test_rows_that_sample_with_different_eta_are_named(show: Show, cells: list[Cell]) -> None:
    assert "different eta" not in show("md")
    first = cells[0]
    assert isinstance(first.sample, TrainedSamples)
    sampler = first.sample.sampler.model_copy(update={"eta": 0.5})
    changed = replace(first, sample=first.sample.model_copy(update={"sampler": sampler}))
    text = show("md", planned=[changed, *cells[1:]])
    assert f"The rows sample with different eta (0.5: {first.label}; 1: " in text


def test_a_noise_floor_from_the_training_split_says_so(
    show: Show, cells: list[Cell], records: dict[str, Record]
) -> None:
    assert "noise_floor: made of" not in show("md")
    floor = cells[-1]
    assert isinstance(floor.sample, ControlSamples)
    assert floor.sample.other is not None
    other = floor.sample.other.model_copy(update={"split": "train"})
    moved = replace(floor, sample=floor.sample.model_copy(update={"other": other}))
    of = {**records, moved.id: records[floor.id]}
    score = of[moved.id].scores["fvd"]
    of[moved.id].scores["fvd"] = replace(score, key=moved.score_key("fvd"))
    text = show("md", planned=[*cells[:-1], moved], of=of)
    assert "noise_floor: made of 128 real clips of the train split" in text


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


def test_the_bare_name_of_a_metric_is_for_its_official_network() -> None:
    assert Column(name="FVD ↓", yardstick="", entries={}).head == "FVD ↓"
    other = "i3d, unverified sha256 0123456789ab"
    assert Column(name="FVD ↓", yardstick=other, entries={}).head == f"FVD ↓ ({other})"
