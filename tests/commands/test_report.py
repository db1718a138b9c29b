from pathlib import Path

import pytest

from rdtf_bench.core.errors import ProtocolError, StoreError
from tests.command_line import rdtf_bench


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_page_of_a_table_that_was_not_run_says_how_to_run_it(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    status, printed = rdtf_bench(monkeypatch, capsys, "report", "ci", "--scale", "ci", "--results", "none")
    assert (status, printed.partition(":")[0]) == (0, "report-ci.html")
    assert "<code>rdtf-bench run ci --scale ci</code>" in (here / "report-ci.html").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ((), ProtocolError.exit_status, "report needs either a protocol, such as table1, or --all"),
        (("ci", "--all"), ProtocolError.exit_status, "report needs either a protocol, such as table1, or --all"),
        (("--all", "--scale", "ci", "--seeds", "3"), ProtocolError.exit_status, "so it takes no --scale, --seeds."),
        (("tabel1",), ProtocolError.exit_status, "Did you mean 'table1'?"),
        (("table6",), ProtocolError.exit_status, "rdtf-bench show table6"),
        (("table2", "--out", "a.html"), ProtocolError.exit_status, "table2-interpolation, table2-prediction"),
        (("ci", "--out", "."), StoreError.exit_status, ".: is a folder. Name another place: --out FILE"),
        (("--all", "--results", "none"), StoreError.exit_status, "none: nothing has been published there"),
        (("--all", "--out", "file"), StoreError.exit_status, "file/index.html: cannot be written: File exists"),
    ],
)
def test_what_cannot_be_written_is_said_before_any_work(
    arguments: tuple[str, ...],
    status: int,
    said: str,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (here / "file").touch()
    found, printed = rdtf_bench(monkeypatch, capsys, "report", *arguments)
    assert found == status
    assert said in printed
    assert [path.name for path in here.iterdir()] == ["file"]
