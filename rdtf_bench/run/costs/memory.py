"""Peak memory of a stretch of work: of the process where it runs on the CPU, of the device where it runs there."""

import resource
from pathlib import Path

import torch

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def start(device: str) -> int:
    """Forget earlier peaks; the bytes held now."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()
    if CLEAR.is_file():
        CLEAR.write_text("5")  # Linux: the high-water mark starts anew
        return _status("VmRSS")
    return peak(device)


def peak(device: str) -> int:
    """The most bytes held since `start`; elsewhere than on Linux, since the process began."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    if CLEAR.is_file():
        return _status("VmHWM")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _status(name: str) -> int:
    for line in STATUS.read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"{STATUS}: there is no line {name}")
