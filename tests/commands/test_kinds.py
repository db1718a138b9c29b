"""Every kind of protocol has every verb, and a command never asks what kind a name is of."""

from pathlib import Path

import pytest
from PIL import Image

from rdtf_bench.commands.kinds import KINDS, kind_of
from rdtf_bench.commands.kinds.costs import Costs
from rdtf_bench.commands.kinds.figure import Figures
from rdtf_bench.commands.kinds.table import Tables
from rdtf_bench.commands.kinds.validity import Validities
from rdtf_bench.core.errors import UnknownNameError
from rdtf_bench.spec.places import PROTOCOLS
from tests.command_line import rdtf_bench

EXAMPLES = {
    "table": ("ci", "ci"),
    "set": ("table2", "tiny"),
    "costs": ("table8", "tiny"),
    "sheet": ("table6", "tiny"),
    "validity": ("metric-validity", "tiny"),
    "figure": ("figure3", "tiny"),
    "arena": ("table5", "tiny"),
}
NOT_MEASURED = 6


def test_every_kind_of_protocol_is_registered() -> None:
    assert set(KINDS) == set(PROTOCOLS) == set(EXAMPLES)
    assert {kind_of(name).name for name, _ in EXAMPLES.values()} == set(KINDS)


@pytest.mark.parametrize("kind", EXAMPLES)
@pytest.mark.parametrize("verb", ["show", "plan", "publish"])
def test_a_verb_answers_for_every_kind(
    verb: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Expect, where nothing is stored or published, an answer or how to measure it."""
    name, scale = EXAMPLES[kind]
    places = ["--store", str(tmp_path / "store")]
    places += ["--results", str(tmp_path / "results")] if verb != "plan" else []
    status, printed = rdtf_bench(monkeypatch, capsys, verb, name, "--scale", scale, *places)
    if (verb, kind) in {("publish", "table"), ("publish", "set"), ("publish", "costs")} or (
        kind in ("validity", "figure") and verb != "plan"
    ):
        assert status == NOT_MEASURED
        assert "Run: rdtf-bench run" in printed
    elif (verb, kind) == ("publish", "arena"):
        assert status == NOT_MEASURED
        assert "Run: rdtf-bench arena make table5" in printed
    else:
        assert status == 0
        assert printed.strip()
    assert "there is no protocol" not in printed


@pytest.mark.parametrize("kind", EXAMPLES)
def test_validate_reads_every_kind(
    kind: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name, _ = EXAMPLES[kind]
    status, printed = rdtf_bench(monkeypatch, capsys, "validate", name)
    assert status == 0
    assert printed.startswith(name)


@pytest.mark.parametrize(
    ("kind", "owner"), [("table", Tables), ("costs", Costs), ("validity", Validities), ("figure", Figures)]
)
def test_run_calls_the_kind_of_the_protocol(
    kind: str,
    owner: type,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    name, scale = EXAMPLES[kind]
    called = []
    monkeypatch.setattr(owner, "run", lambda _, chosen, **__: called.append((chosen.protocol, chosen.scale_name)))
    status, _ = rdtf_bench(monkeypatch, capsys, "run", name, "--scale", scale, "--store", str(tmp_path))
    assert (status, called) == (0, [(name, scale)])


def test_a_sheet_is_published_as_a_section_of_the_readme(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results"
    status, printed = rdtf_bench(monkeypatch, capsys, "publish", "table6", "--results", str(results))
    assert status == 0
    assert str(results / "table6" / "tiny.md") in printed
    readme = (results / "README.md").read_text(encoding="utf-8")
    assert "## table6: " in readme
    assert "| eta | 1 |" in readme


def test_a_figure_of_a_folder_is_drawn_once_and_published_with_its_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in (3, 12):
        frames = [Image.new("RGB", (8, 8), (20 * frame, number, 0)) for frame in range(number)]
        (tmp_path / "mine").mkdir(exist_ok=True)
        frames[0].save(tmp_path / "mine" / f"{number}.gif", save_all=True, append_images=frames[1:])
    chosen = ["figure3", "--data", f"asg={tmp_path / 'mine'}", "--store", str(tmp_path / "store")]
    status, printed = rdtf_bench(monkeypatch, capsys, "run", *chosen, "--quiet")
    assert status == 0
    assert "clips (asg, mine)" in printed
    assert ": done: " in rdtf_bench(monkeypatch, capsys, "plan", *chosen)[1]
    assert rdtf_bench(monkeypatch, capsys, "show", *chosen) == (0, printed)
    results = tmp_path / "results"
    status, _ = rdtf_bench(monkeypatch, capsys, "publish", *chosen, "--results", str(results))
    assert status == 0
    assert sorted(path.name for path in (results / "figure3").iterdir()) == ["tiny.csv", "tiny.md", "tiny.png"]


def test_power_says_that_it_needs_trained_rows(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status, printed = rdtf_bench(monkeypatch, capsys, "power", "table6")
    assert status == 2
    assert "table6: a protocol with trained rows is needed here, and this one is of kind 'sheet'" in printed


def test_an_unknown_protocol_gets_the_close_match_among_all_kinds() -> None:
    with pytest.raises(UnknownNameError, match=r"there is no protocol 'metric-validty'.*'metric-validity'"):
        kind_of("metric-validty")
