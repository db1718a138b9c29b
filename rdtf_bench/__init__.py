"""Benchmark and evaluation suite for animated-sticker and other low-frame-rate video generation."""

from pathlib import Path as _Path

__version__ = "0.1.0"

if _Path(__file__).with_name("models").is_file():
    raise ImportError(
        "rdtf_bench/models is a text file where a link to ../models should be. "
        "Run: git config core.symlinks true && git checkout -- rdtf_bench"
    )
