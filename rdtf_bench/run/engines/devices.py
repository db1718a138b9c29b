"""Shares the GPUs of a machine among the workers of a run. Imports torch only inside functions."""

import os

from rdtf_bench.core.errors import DeviceError

VISIBLE = "CUDA_VISIBLE_DEVICES"


def take(worker: int, each: int) -> None:
    """Let this process and its children see `each` GPUs: its share of those that the run may use.

    `worker` counts from 0. Workers share GPUs only where there are too few. Call it before CUDA is initialised.
    """
    visible = _visible()
    if len(visible) > each:
        os.environ[VISIBLE] = ",".join(visible[(worker * each + number) % len(visible)] for number in range(each))


def require(each: int) -> None:
    """Raise DeviceError where this process sees fewer than `each` GPUs."""
    found = len(_visible())
    if found < each:
        raise DeviceError(
            f"--processes {each}: each process that trains a row needs a GPU of its own, and {found} can be seen here "
            f"({VISIBLE}={os.environ.get(VISIBLE, 'not set')}). Give --processes {max(found, 1)} or fewer."
        )


def _visible() -> list[str]:
    named = os.environ.get(VISIBLE)
    if named is not None:
        return [name for name in named.split(",") if name.strip()]
    import torch

    return [str(number) for number in range(torch.cuda.device_count())]
