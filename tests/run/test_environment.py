import resource
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from rdtf_bench.run import environment


def test_the_command_is_what_was_typed_and_can_be_pasted(monkeypatch: pytest.MonkeyPatch) -> None:
    typed = ["/somewhere/bin/rdtf-bench", "run", "./my table.yaml", "--data", "asg=stickers"]
    monkeypatch.setattr(sys, "argv", typed)
    assert environment.command_line() == "rdtf-bench run './my table.yaml' --data asg=stickers"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        (["--data", "asg=/home/me/stickers"], "--data asg=stickers"),
        (["--store=/scratch/me/runs", "/home/me/mine.yaml"], "--store=runs mine.yaml"),
        (["--with", "mine=/a=b/clips", "/a=b/clips"], "--with mine=clips clips"),
        (["--tracking-uri", "https://me:secret@host:5000"], "--tracking-uri https://..."),
        (["--data", "asg=../stickers", "--scale", "tiny"], "--data asg=../stickers --scale tiny"),
    ],
)
def test_the_command_names_no_place_of_a_machine(typed: list[str], kept: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["rdtf-bench", "run", "table1", *typed])
    assert environment.command_line() == f"rdtf-bench run table1 {kept}"


def test_a_cpu_has_no_gpu() -> None:
    described = environment.describe("cpu", 2)
    assert (described["device"], described["threads_per_worker"]) == ("cpu", 2)
    assert [described[name] for name in ("gpu", "driver", "cuda")] == [None, None, None]


def test_a_gpu_is_named_with_its_driver_and_cuda(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 550.54.15\necho 550.54.15\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "NVIDIA H100 80GB HBM3")
    monkeypatch.setattr(torch.version, "cuda", "12.4")
    described = environment.describe("cuda", 2)
    assert [described[name] for name in ("gpu", "driver", "cuda")] == ["NVIDIA H100 80GB HBM3", "550.54.15", "12.4"]


def test_a_scale_for_a_gpu_can_be_recorded_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert environment.describe("cuda", 2)["gpu"] is None


def test_a_program_that_is_absent_or_fails_says_nothing() -> None:
    assert environment._output(["no-such-program"]) is None
    assert environment._output(["false"]) is None


def test_peak_memory_is_in_gib() -> None:
    assert 0.01 < environment.peak_memory_gib() < 1000


@pytest.mark.parametrize(("platform", "expected"), [("linux", 3.0), ("darwin", 3.0 / 1024)])
def test_the_systems_unit_of_memory_is_heeded(monkeypatch: pytest.MonkeyPatch, platform: str, expected: float) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(resource, "getrusage", lambda _: SimpleNamespace(ru_maxrss=3 * 2**20))
    assert environment.peak_memory_gib() == expected


def test_a_checkout_names_its_commit_and_changed_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {"rev-parse": "abc", "status": " M models/b.py\nM  a.py"}
    monkeypatch.setattr(environment, "_git", lambda _folder, verb, *_: answers[verb])
    assert environment.commit() == {"commit": "abc", "dirty_files": ["a.py", "models/b.py"]}
    monkeypatch.undo()
    assert environment._git(tmp_path, "rev-parse", "HEAD") is None


def test_an_installed_wheel_has_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_git", lambda *_: None)
    assert environment.commit() == {"commit": None, "dirty_files": None}
