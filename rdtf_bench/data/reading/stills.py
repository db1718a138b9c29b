"""Turn one picture of any kind that Pillow reads into 8-bit RGB on white, upright."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

WHITE = (255, 255, 255)


def read(path: Path) -> Image.Image:
    """Read a picture of one frame; raise what Pillow raises for a file that it cannot decode."""
    with Image.open(path) as image:
        return on_white(image)


def on_white(image: Image.Image) -> Image.Image:
    """Return a picture as 8-bit RGB: upright by its EXIF orientation, 16 bits scaled to 8, transparency on white."""
    upright = ImageOps.exif_transpose(image)
    if not upright.has_transparency_data and not upright.mode.startswith("I"):
        return upright.convert("RGB")
    drawn = rgba(upright)
    page = Image.new("RGBA", drawn.size, (*WHITE, 255))
    page.alpha_composite(drawn)
    return page.convert("RGB")


def rgba(image: Image.Image) -> Image.Image:
    """Return a picture as 8-bit RGBA, 16 bits scaled to 8. Pillow scales colours itself, and clips grey at 255."""
    if not image.mode.startswith("I"):
        return image.convert("RGBA")
    levels = np.asarray(image).astype(np.int64).clip(0, 65535)
    grey = Image.fromarray(((levels * 255 + 32767) // 65535).astype(np.uint8))
    opaque = Image.fromarray(np.where(levels == image.info.get("transparency"), 0, 255).astype(np.uint8))
    return Image.merge("RGBA", (grey, grey, grey, opaque))
