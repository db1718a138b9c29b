"""Peak memory of this process and of a GPU; the GPU and other systems are stand-ins."""

import mmap
from pathlib import Path

import pytest
import torch

from rdtf_bench.run import environment
from rdtf_bench.run.costs import memory

MIB = 2**20


def hold_and_release(num_bytes: int) -> None:
    with mmap.mmap(-1, num_bytes) as held:
        for page in range(0, num_bytes, mmap.PAGESIZE):
            held[page] = 1


@pytest.mark.skipif(not memory.CLEAR.is_file(), reason="only Linux can start a new peak")
def test_a_peak_is_seen_after_it_is_over_and_forgotten_by_a_new_start() -> None:
    held = memory.start("cpu")
    hold_and_release(64 * MIB)
    assert 60 * MIB < memory.peak("cpu") - held < 120 * MIB  # the kernel counts pages in batches
    held = memory.start("cpu")
    assert memory.peak("cpu") - held < 16 * MIB


def test_without_a_resettable_peak_it_is_that_of_the_whole_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "CLEAR", tmp_path / "absent")
    monkeypatch.setattr(environment, "peak_memory_gib", lambda: 1.5)
    assert memory.start("cpu") == memory.peak("cpu") == 1.5 * 2**30


def test_a_status_without_the_line_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    status = tmp_path / "status"
    status.write_text("VmPeak:\t 7 kB\nVmHWM:\t 5 kB\n")
    monkeypatch.setattr(memory, "STATUS", status)
    monkeypatch.setattr(memory, "CLEAR", status)
    assert memory.peak("cpu") == 5 * 1024
    status.write_text("VmPeak:\t 7 kB\n")
    with pytest.raises(OSError, match="there is no line VmHWM"):
        memory.peak("cpu")


def test_a_gpu_is_asked_for_its_own_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: asked.append("reset"))
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda: 3)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda: 7)
    assert (memory.start("cuda"), memory.peak("cuda")) == (3, 7)
    assert asked == ["reset"]
