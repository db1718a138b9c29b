"""Tables of the paper that nothing is measured for: what stands in them here, beside what is printed."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from rdtf_bench.core.errors import ProtocolError
from rdtf_bench.report.sheets import render
from rdtf_bench.run.sheets import rows
from rdtf_bench.spec.load import load_scale, load_sheet
from rdtf_bench.spec.schema import Setting


def test_hyperparameters_are_those_in_force_at_the_scale() -> None:
    sheet = load_sheet("table6")
    for scale in ("paper", "tiny"):
        shown = {row["hyperparameter"]: row for row in rows(sheet, load_scale(scale))}
        at_scale = load_scale(scale)
        assert shown["Training steps"][f"here ({scale})"] == str(at_scale.training.num_steps)
        assert float(shown["Learning rate"][f"here ({scale})"]) == at_scale.methods["rdtf"].learning_rate
    assert shown["K_p, K_i, K_d"]["here (tiny)"] == "5, 3, 1.3"
    assert shown["Learning rate"]["paper"] == "1e-5"
    assert shown["Learning rate"]["released code"] == "3e-5"


@pytest.mark.parametrize("name", ["table6", "table7"])
def test_what_is_published_is_in_force(name: str) -> None:
    published = Path(__file__).parents[2] / "results" / name / "tiny.md"
    sheet = load_sheet(name)
    assert render(sheet, rows(sheet, load_scale("tiny")), format="md") in published.read_text(encoding="utf-8"), (
        f"publish it again: rdtf-bench publish {name} --scale tiny"
    )


def test_paper_scale_follows_what_the_paper_prints() -> None:
    shown = {row["hyperparameter"]: row for row in rows(load_sheet("table6"), load_scale("paper"))}
    for name in (
        "Layers per block",
        "Head channels",
        "Embedding dimension",
        "STI: attention heads",
        "k, lowest",
        "eta",
    ):
        assert float(shown[name]["here (paper)"]) == float(shown[name]["paper"]), name


def test_every_printed_mask_is_trained() -> None:
    sheet = load_sheet("table7")
    shown = rows(sheet, load_scale("tiny"))
    assert {row["paper"] for row in shown} - {"not printed"} == {mask.source for mask in sheet.printed}
    assert all(row["unknown"] == str(row["known frames"].count("0")) for row in shown)
    assert {row["task"] for row in shown if row["text"] == "no"} == {"i2v"}


def test_a_place_that_is_not_there_is_named() -> None:
    sheet = load_sheet("table6")
    wrong = Setting(label="x", here="option learning_rat", paper="1", released="1")
    with pytest.raises(ProtocolError, match="learning_rat"):
        rows(sheet.model_copy(update={"settings": (wrong,)}), load_scale("tiny"))
    with pytest.raises(ValidationError, match="String should match pattern"):
        Setting(label="x", here="asset autoencoder", paper="1", released="1")
