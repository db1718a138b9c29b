"""Clips of files that a test has written."""

from pathlib import Path
from typing import Any

from rdtf_bench.core.dataset import Clip


def clip_of(path: Path, num_frames: int, **more: Any) -> Clip:
    """The clip of a file, with its name as id, caption and cluster."""
    given = {
        "id": f"asg/{path.stem}",
        "caption": f"text {path.stem}",
        "cluster": path.stem,
        "split": "test",
        "sha256": "",
    }
    return Clip(path=path, num_frames=num_frames, **{**given, **more})
