import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.data.gifs import gif


@pytest.fixture
def animation() -> Callable[..., Path]:
    """Write an animation of plain frames whose level of red tells their number, in the format of the suffix.

    The other colours come from its path, so that no two files have the same bytes.
    """

    def write(path: Path, num_frames: int = 8, *, size: tuple[int, int] = (6, 4), seed: int = 0) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        tint = zlib.crc32(f"{path.as_posix()} {seed}".encode())
        green, blue = tint >> 8 & 255, tint & 255
        frames = [Image.new("RGB", size, (10 * number, green, blue)) for number in range(num_frames)]
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
        pytest.skip(
            "needs real animated stickers, which the repository does not hold; the drawn ones are tested everywhere"
        )
    return root.resolve()


@pytest.fixture
def gif_bytes() -> Callable[..., bytes]:
    return gif
