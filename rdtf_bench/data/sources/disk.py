"""Tell before any work whether the disk has room, and what to do if it fills up on the way."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rdtf_bench.core.errors import DataError, is_disk_full

GIB = 1 << 30


def require_free(folder: Path, needed_bytes: int) -> None:
    """Raise DataError if fewer bytes are free in a folder, which need not exist yet."""
    there = next(parent for parent in (folder, *folder.absolute().parents) if parent.is_dir())
    free = shutil.disk_usage(there).free
    if free < needed_bytes:
        raise DataError(
            f"{folder}: about {in_gib(needed_bytes)} are needed, and {in_gib(free)} are free. Free some space, or put "
            "this folder on a larger disk."
        )


@contextmanager
def told_if_full(folder: Path, needed_bytes: int) -> Iterator[None]:
    """Turn a fault of the disk while a folder is written, such as a full one, into a DataError."""
    try:
        yield
    except OSError as fault:
        remedy = (
            f"About {in_gib(needed_bytes)} are needed. Free some space" if is_disk_full(fault) else "Mend that place"
        )
        raise DataError(
            f"{folder}: cannot be written: {fault.strerror or fault}. Nothing half-written was left. {remedy} and run "
            "the command again."
        ) from fault


def in_gib(num_bytes: int) -> str:
    """Return a number of bytes in words.

    >>> in_gib(3 << 29)
    '1.5 GiB'
    """
    return f"{num_bytes / GIB:.1f} GiB" if num_bytes >= GIB / 10 else f"{num_bytes / (1 << 20):.1f} MiB"
