"""Describes where a number was made: versions, commit, dirty files, processor, GPU. Imports torch only for a GPU."""

import os
import platform
import resource
import shlex
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rdtf_bench import __version__

PACKAGES = ("torch", "torchvision", "diffusers", "transformers", "peft", "timm", "open_clip_torch", "numpy", "Pillow")


def describe(device: str, threads_per_worker: int) -> dict[str, object]:
    """Return all facts about this machine and installation that a record keeps."""
    return {
        "rdtf_bench": __version__,
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "device": device,
        "threads_per_worker": threads_per_worker,
        **_gpu(device),
        **commit(),
    }


def command_line() -> str:
    """Return the command line of this process for a record, which may be published.

    Arguments stand as they were typed, without what names a place on a machine or a network: the path of the program,
    the folders of absolute paths, and all of a URL but its scheme, because it may hold a password.
    """
    return shlex.join(["rdtf-bench", *map(without_place, sys.argv[1:])])


def peak_memory_gib() -> float:
    """Return the most memory that this process has held since it began."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**30 if sys.platform == "darwin" else 2**20)  # macOS counts bytes, Linux counts KiB


def commit() -> dict[str, object]:
    """Return the commit of the checkout and the tracked files that differ from it; None for an installed wheel."""
    folder = Path(__file__).resolve().parent
    head = _git(folder, "rev-parse", "HEAD")
    if head is None:
        return {"commit": None, "dirty_files": None}
    status = _git(folder, "status", "--porcelain", "--untracked-files=no") or ""
    return {"commit": head, "dirty_files": sorted(line[3:] for line in status.splitlines())}


def without_place(argument: str) -> str:
    """Return an argument of a command without what names a place on a machine or a network.

    >>> [without_place(typed) for typed in ("/data/my.yaml", "asg=/data/stickers", "http://me:secret@host")]
    ['my.yaml', 'asg=stickers', 'http://...']
    """
    name, separator, value = argument.partition("=")
    if not separator or "/" in name:
        name, separator, value = "", "", argument
    if "://" in value:
        value = value.partition("://")[0] + "://..."
    elif Path(value).is_absolute():
        value = Path(value).name
    return f"{name}{separator}{value}"


def _gpu(device: str) -> dict[str, str | None]:
    """Return the name of the GPU and the versions of driver and CUDA; None for each on a CPU."""
    nothing: dict[str, str | None] = {"gpu": None, "driver": None, "cuda": None}
    if device != "cuda":
        return nothing
    import torch

    if not torch.cuda.is_available():  # samples and scores made on another machine are recorded on this one
        return nothing
    return {"gpu": torch.cuda.get_device_name(), "driver": _driver(), "cuda": torch.version.cuda}


def _driver() -> str | None:
    """Return the version of the NVIDIA driver, which all GPUs of a machine share."""
    said = _output(["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"])
    return said.partition("\n")[0].strip() if said else None


def _git(folder: Path, *arguments: str) -> str | None:
    return _output(["git", *arguments], cwd=folder)


def _output(command: list[str], *, cwd: Path | None = None) -> str | None:
    """Return what a program prints; None where it is not installed or fails."""
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout.rstrip("\n") if done.returncode == 0 else None


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()
