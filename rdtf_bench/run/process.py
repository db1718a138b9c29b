"""Sets up a process that runs jobs or trains: threads, determinism, memory, quiet libraries. Imports torch late."""

import ctypes
import platform

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # of glibc's malloc.h


def environment(threads: int) -> dict[str, str]:
    """Return the variables that a process's environment must hold before it starts: libraries read them at import."""
    quiet = {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"}
    return {**dict.fromkeys(THREAD_VARIABLES, str(threads)), **quiet}


def prepare(threads: int) -> None:
    """Set up torch in this process: `threads` threads, deterministic algorithms, quiet libraries."""
    import torch

    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    # a help to find reads of memory that nothing wrote, at 6 % of the time: it writes NaN into every new tensor
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    keep_memory()
    be_quiet()


def keep_memory() -> None:
    """Keep freed memory for the next tensor, where the C library is glibc.

    It gives every block above 32 MiB back to the kernel, which then clears the pages of the next one. That took half of
    the time in which the decoder makes 16 clips of 64 px. In return the process holds the most that it ever needed.
    """
    if platform.libc_ver()[0] == "glibc":
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)  # bytes; the largest that mallopt takes


def be_quiet() -> None:
    """Turn off the progress bars of libraries that load small local files; they would tear ours."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    diffusers_logging.disable_progress_bar()
    transformers_logging.disable_progress_bar()
    diffusers_logging.set_verbosity_error()
