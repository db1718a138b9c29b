"""What a process is set up with before it runs jobs."""

import platform
import resource
import subprocess
import sys
from collections.abc import Iterator

import pytest
import torch

from rdtf_bench.run import process


@pytest.fixture
def torch_as_it_is() -> Iterator[None]:
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    fills = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    yield
    torch.utils.deterministic.fill_uninitialized_memory = fills  # type: ignore[attr-defined]
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(deterministic)


def test_every_library_gets_the_threads_of_a_worker() -> None:
    variables = process.environment(3)
    assert {name: variables[name] for name in process.THREAD_VARIABLES} == {
        "OMP_NUM_THREADS": "3",
        "MKL_NUM_THREADS": "3",
        "OPENBLAS_NUM_THREADS": "3",
    }
    assert variables["HF_HUB_OFFLINE"] == "1"


@pytest.mark.usefixtures("torch_as_it_is")
def test_a_worker_computes_deterministically_on_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "be_quiet", lambda: None)
    torch.use_deterministic_algorithms(False)
    process.prepare(1)
    assert torch.get_num_threads() == 1
    assert torch.are_deterministic_algorithms_enabled()
    assert not torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]


FAULTS = """
import resource, torch
from rdtf_bench.run import process
process.keep_memory()
for _ in range(20):  # the ends that malloc cuts off for alignment are kept apart at first, and blocks do not merge
    torch.ones(2**24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
torch.ones(2**24)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries have settings of their own")
def test_memory_that_a_large_tensor_leaves_goes_to_the_next_one() -> None:
    # in a process of its own, whose heap no other test has cut up
    said = subprocess.run([sys.executable, "-c", FAULTS], stdout=subprocess.PIPE, text=True, check=True).stdout
    assert int(said) < 2**24 * 4 / resource.getpagesize() / 10
