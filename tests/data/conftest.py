from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.data.gifs import gif


@pytest.fixture
def animation() -> Callable[..., Path]:
    """Write an animation of plain frames whose grey level tells their number, in the format of the suffix."""

    def write(path: Path, num_frames: int = 8, *, size: tuple[int, int] = (6, 4), seed: int = 0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        frames = [Image.new("RGB", size, (10 * number, 10 * number, seed)) for number in range(num_frames)]
        lossless = {"lossless": True} if path.suffix == ".webp" else {}
        kind = "PNG" if path.suffix == ".apng" else None
        frames[0].save(path, format=kind, save_all=True, append_images=frames[1:], duration=100, loop=0, **lossless)
        return path

    return write


@pytest.fixture
def real_stickers() -> Path:
    """A folder of real stickers beside the repository, where a developer has one."""
    root = Path(__file__).parents[2] / ".." / "shared" / "stickers"
    if not root.is_dir():
        pytest.skip("needs a folder of real stickers (../shared/stickers), which the repository does not hold")
    return root.resolve()


@pytest.fixture
def gif_bytes() -> Callable[..., bytes]:
    return gif
