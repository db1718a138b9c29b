"""Peak memory of this process, or of the GPU for work that runs there."""

from pathlib import Path

import torch

from rdtf_bench.run import environment

STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")


def start(device: str) -> int:
    """Forget earlier peaks and return the bytes that are held now."""
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()
    if CLEAR.is_file():
        CLEAR.write_text("5")  # Linux: the high-water mark starts anew
        return _status("VmRSS")
    return peak(device)


def peak(device: str) -> int:
    """Return the most bytes held since `start`; on systems other than Linux, since the process began."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    if CLEAR.is_file():
        return _status("VmHWM")
    return round(environment.peak_memory_gib() * 2**30)


def _status(name: str) -> int:
    for line in STATUS.read_text(encoding="ascii").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"{STATUS}: there is no line {name}")
