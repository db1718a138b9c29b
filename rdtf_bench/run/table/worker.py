"""Sets up a process that runs jobs, and runs one job in it, for every engine. Imports torch only inside functions."""

from collections.abc import Mapping
from importlib import import_module

from rdtf_bench.core.errors import DeviceError
from rdtf_bench.run.progress import Sink
from rdtf_bench.run.table.context import Bench

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def environment(threads: int) -> dict[str, str]:
    """Return the variables that a worker's environment must hold before it starts: libraries read them at import."""
    quiet = {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
    return {**dict.fromkeys(THREAD_VARIABLES, str(threads)), **quiet}


def prepare(threads: int) -> None:
    """Set up torch in this process: `threads` threads, deterministic algorithms, quiet libraries."""
    import torch

    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    be_quiet()


def call(function: str, bench: Bench, sink: Sink, job: str, arguments: Mapping[str, object]) -> None:
    """Run one function of run.table.work in this process. Raises DeviceError where the memory of the GPU is full."""
    import torch

    try:
        getattr(import_module("rdtf_bench.run.table.work"), function)(bench, sink, job, **arguments)
    except torch.OutOfMemoryError as fault:
        raise DeviceError(
            f"{job}: the memory of the GPU is full. What is finished is kept, and the same command continues. In scale "
            f"{bench.scale.name}, reduce training.micro_batch_size or sampling.batch_size, or set "
            f"training.gradient_checkpointing: true. PyTorch says: {str(fault).splitlines()[0]}"
        ) from fault


def be_quiet() -> None:
    """Turn off the progress bars of libraries that load small local files; they would tear ours."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    diffusers_logging.disable_progress_bar()
    transformers_logging.disable_progress_bar()
    diffusers_logging.set_verbosity_error()
