"""Sets up a process that runs jobs or trains: threads, determinism, quiet libraries. Imports torch late."""

THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


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
    be_quiet()


def be_quiet() -> None:
    """Turn off the progress bars of libraries that load small local files; they would tear ours."""
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    diffusers_logging.disable_progress_bar()
    transformers_logging.disable_progress_bar()
    diffusers_logging.set_verbosity_error()
