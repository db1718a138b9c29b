"""Where a number was made: versions, commit, dirty files, processor. No torch."""

import os
import platform
import resource
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rdtf_bench import __version__

PACKAGES = ("torch", "torchvision", "diffusers", "transformers", "peft", "timm", "open_clip_torch", "numpy", "Pillow")


def describe(device: str, threads_per_worker: int) -> dict[str, Any]:
    return {
        "rdtf_bench": __version__,
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in PACKAGES},
        "platform": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "device": device,
        "threads_per_worker": threads_per_worker,
        **commit(),
    }


def peak_memory_gib() -> float:
    """Return the most memory that this process has held since it began."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def commit() -> dict[str, Any]:
    """The checkout's commit and the tracked files that differ from it; None for an installed wheel."""
    folder = Path(__file__).resolve().parent
    head = _git(folder, "rev-parse", "HEAD")
    if head is None:
        return {"commit": None, "dirty_files": None}
    status = _git(folder, "status", "--porcelain", "--untracked-files=no") or ""
    return {"commit": head, "dirty_files": sorted(line[3:] for line in status.splitlines())}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=False)
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
