"""`rdtf-bench arena` and `run table5` as a user calls them, on a store with random clips."""

from pathlib import Path

import pytest

from rdtf_bench.run.arena.study import Arena, read
from tests.arenas import RANKS, ballot, filled
from tests.command_line import rdtf_bench


def test_a_study_is_made_counted_and_printed_beside_the_paper(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    filled(tmp_path / "store")
    out, chosen = tmp_path / "new" / "arena.html", ["--scale", "ci", "--store", str(tmp_path / "store")]
    status, printed = rdtf_bench(
        monkeypatch, capsys, "arena", "make", "table1", "--out", str(out), "--clips", "3", *chosen
    )
    assert status == 0
    assert printed.startswith(f"{out}: 9 rankings of 4 rows for 3 clips")
    assert "page for raters: done" in rdtf_bench(monkeypatch, capsys, "plan", "table5", *chosen)[1]
    assert "There are no votes" in rdtf_bench(monkeypatch, capsys, "run", "table5", *chosen)[1]

    (arena,) = (read(Arena, path) for path in (tmp_path / "store" / "arenas").glob("*/arena.json"))
    files = [tmp_path / f"votes-{rater}.json" for rater in ("Anna", "Ben")]
    for file in files:
        file.write_text(ballot(arena, file.stem).model_dump_json(), encoding="utf-8")
    counting = ["arena", "tally", *map(str, files), "--store", str(tmp_path / "store")]
    status, counted = rdtf_bench(monkeypatch, capsys, *counting)
    assert status == 0
    assert "RDTF               ≈3.50 [3.50, 3.50]" in counted
    status, printed = rdtf_bench(monkeypatch, capsys, "run", "table5", *chosen)
    assert status == 0
    assert "RDTF               ≈3.50 [3.50, 3.50]   2.03" in printed

    results = ["--results", str(tmp_path / "results")]
    assert rdtf_bench(monkeypatch, capsys, "publish", "table5", *chosen, *results)[0] == 0
    elsewhere = ["--scale", "ci", "--store", str(tmp_path / "empty")]
    assert rdtf_bench(monkeypatch, capsys, "show", "table5", *elsewhere, *results) == (0, printed)
    published = (tmp_path / "results" / "table5" / "votes" / f"{arena.id}.json").read_text(encoding="utf-8")
    assert "Anna" not in published
    assert "rater 2" in published
    tidied = rdtf_bench(monkeypatch, capsys, "store", "gc", "--dry-run", "--store", str(tmp_path / "store"), *results)
    assert tidied[0] == 0  # published votes are not taken for records


def test_the_commands_of_a_study_repeat_the_options_that_were_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for given, repeated in (("my runs", " --store 'my runs'"), ("runs", "")):
        chosen = ["--scale", "ci", "--data", "ophnet=unused folder", "--store", given]
        _, printed = rdtf_bench(monkeypatch, capsys, "plan", "table5", *chosen)
        same = f"--scale ci --data 'ophnet=unused folder'{repeated}"
        assert f"to do: rdtf-bench run table1 {same}\n" in printed
        assert f"to do: rdtf-bench arena make table5 {same} --out arena.html\n" in printed


def test_refused_votes_leave_the_last_tally_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    filled(tmp_path / "store")
    at = ["--store", str(tmp_path / "store")]
    make = ["arena", "make", "table5", "--scale", "ci", "--out", str(tmp_path / "a.html"), "--clips", "2"]
    assert rdtf_bench(monkeypatch, capsys, *make, *at)[0] == 0
    (arena,) = (read(Arena, path) for path in (tmp_path / "store" / "arenas").glob("*/arena.json"))
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(ballot(arena, "Anna").model_dump_json())
    whole = ballot(arena, "Ben")
    bad.write_text(whole.model_copy(update={"votes": whole.votes[1:]}).model_dump_json())
    assert rdtf_bench(monkeypatch, capsys, "arena", "tally", str(good), *at)[0] == 0
    kept = tmp_path / "store" / "votes" / f"{arena.id}.json"
    before = kept.read_bytes()
    status, printed = rdtf_bench(monkeypatch, capsys, "arena", "tally", str(good), str(bad), *at)
    assert status == 4
    assert "bad.json: 1 rankings of 6 are missing. Ask 'Ben' to finish" in printed
    assert kept.read_bytes() == before


def test_votes_can_be_counted_elsewhere_with_the_file_of_the_arena(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    filled(tmp_path / "store")
    make = ["arena", "make", "ci", "--scale", "ci", "--out", str(tmp_path / "a.html"), "--clips", "2"]
    assert rdtf_bench(monkeypatch, capsys, *make, "--store", str(tmp_path / "store"))[0] == 0
    (path,) = (tmp_path / "store" / "arenas").glob("*/arena.json")
    votes = tmp_path / "votes.json"
    votes.write_text(ballot(read(Arena, path), "Anna").model_dump_json())
    tally = ["arena", "tally", str(votes), "--store", str(tmp_path / "other"), "--format", "csv"]
    status, printed = rdtf_bench(monkeypatch, capsys, *tally)
    assert status == 6
    assert "there is no arena" in printed
    assert "--arena FILE" in printed
    status, printed = rdtf_bench(monkeypatch, capsys, *tally, "--arena", str(path))
    assert status == 0
    assert printed.splitlines()[0].startswith("row,criterion,aur,")
    assert len(printed.splitlines()) == 1 + 3 * len(RANKS)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["make", "tabel1", "--out", "a.html"], 2, "Did you mean 'table1'?"),
        (["make", "table1", "--scale", "tinny", "--out", "a.html"], 2, "Did you mean 'tiny'?"),
        (["make", "table6", "--out", "a.html"], 2, "a table or an arena is needed here"),
        (["make", "table1", "--out", "a.html"], 6, "Run: rdtf-bench run table1 --scale small --store "),
        (["make", "table1", "--out", "a.html", "--with", "mine=nowhere"], 4, "nowhere: there is no such folder"),
        (["make", "table1"], 2, "Missing option '--out'"),
        (["tally"], 2, "Missing argument 'FILES"),
        (["tally", "nowhere.json"], 4, "nowhere.json: cannot be read: No such file or directory"),
        (["tally", "."], 4, ".: cannot be read: Is a directory"),
        (["tally", "nowhere.json", "--format", "jsn"], 2, "Did you mean 'json'?"),
        (["tally", "nowhere.json", "--arena", "gone.json"], 6, "gone.json: cannot be read"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_users_fault_is_one_clear_error(
    arguments: list[str],
    status: int,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RDTF_BENCH_STORE", str(tmp_path / "runs"))
    monkeypatch.setenv("COLUMNS", "200")
    got, printed = rdtf_bench(monkeypatch, capsys, "arena", *arguments)
    assert got == status
    assert said in printed
    assert "Traceback" not in printed


def test_a_page_that_cannot_be_written_is_an_error_and_no_arena_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    filled(tmp_path / "store")
    make = ["arena", "make", "table5", "--scale", "ci", "--out", str(tmp_path), "--clips", "2"]
    status, printed = rdtf_bench(monkeypatch, capsys, *make, "--store", str(tmp_path / "store"))
    assert status == 6
    assert f"{tmp_path}: cannot be written: Is a directory. Name a file: --out arena.html" in printed
    assert not (tmp_path / "store" / "arenas").exists()
