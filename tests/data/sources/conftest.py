from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def sticker(tmp_path: Path, animation: Callable[..., Path]) -> Callable[[str], bytes]:
    """Return the bytes of an animation of eight frames, whose format the suffix of its name tells."""

    def make(name: str) -> bytes:
        return animation(tmp_path / "made" / name).read_bytes()

    return make
