import base64
import io

import numpy as np
import pytest
from jaxtyping import UInt8
from PIL import Image

from rdtf_bench.report.page.clips import Sprite, data_uri, reduced, sprite


def clip(num_frames: int, height: int, width: int) -> UInt8[np.ndarray, "F C H W"]:
    """Grey frames, each 30 levels brighter than the one before it."""
    levels = np.arange(num_frames, dtype=np.uint8) * 30
    return np.broadcast_to(levels[:, None, None, None], (num_frames, 3, height, width)).copy()


def decoded(found: Sprite) -> Image.Image:
    head, _, data = found.uri.partition(",")
    assert head == "data:image/webp;base64"
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        return picture.convert("L")


def test_the_frames_stand_side_by_side_from_left_to_right() -> None:
    found = sprite(clip(8, 16, 24))
    assert (found.num_frames, found.width_px, found.height_px) == (8, 24, 16)
    picture = decoded(found)
    assert picture.size == (8 * 24, 16)
    middles = [picture.getpixel((24 * place + 12, 8)) for place in range(8)]
    # lossy WebP moves a level by a few; neighbouring frames are 30 apart
    assert middles == pytest.approx([30 * place for place in range(8)], abs=6)


def test_large_frames_are_reduced_in_proportion_and_small_ones_kept() -> None:
    found = sprite(clip(2, 40, 80), largest_px=20)
    assert (found.width_px, found.height_px) == (20, 10)
    assert decoded(found).size == (40, 10)
    small = Image.new("RGB", (20, 7))
    assert reduced(small, 20) is small


def test_a_lower_quality_takes_fewer_bytes() -> None:
    noise = np.arange(2 * 3 * 32 * 32, dtype=np.uint32).reshape(2, 3, 32, 32) * 2654435761 % 251
    found = noise.astype(np.uint8)
    assert len(sprite(found, quality=20).uri) < len(sprite(found, quality=90).uri)


def test_a_data_uri_can_be_decoded() -> None:
    assert data_uri("text/plain", b"a star") == "data:text/plain;base64,YSBzdGFy"
