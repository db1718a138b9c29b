"""A worker process: a few torch threads of its own, and one job after the other. No torch in the parent."""

import os
import signal
import threading
import time
from importlib import import_module
from typing import Any

from rdtf_bench.run.progress import Silent, Sink
from rdtf_bench.run.table.context import Bench

_sink: Sink = Silent()

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def environment(threads: int) -> dict[str, str]:
    """What a worker's environment must hold before it starts: libraries read it when they are imported."""
    quiet = {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
    return {**dict.fromkeys(THREAD_VARIABLES, str(threads)), **quiet}


def start(threads: int, sink: Sink) -> None:
    global _sink
    _sink = sink
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    import torch

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    be_quiet()


def call(function: str, bench: Bench, job: str, arguments: dict[str, Any]) -> tuple[int, float]:
    """Run one function of run.table.work; returns this process's id and its peak memory in GiB."""
    jobs = import_module("rdtf_bench.run.table.work")
    getattr(jobs, function)(bench, _sink, job, **arguments)
    return os.getpid(), jobs.peak_memory_gib()


def _end_with(parent: int) -> None:
    """A parent that was killed cannot end its workers; each ends itself, and the store keeps what it finished."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def be_quiet() -> None:
    """Progress bars of libraries that load small local files would tear ours."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    diffusers_logging.disable_progress_bar()
    transformers_logging.disable_progress_bar()
    diffusers_logging.set_verbosity_error()
