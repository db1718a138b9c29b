"""Turn one picture of any kind that Pillow reads into 8-bit RGB on white, upright."""

from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageFile

WHITE = (255, 255, 255)
TURNS = {  # by EXIF orientation
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read(path: Path) -> Image.Image:
    """Read a picture of one frame; raise what Pillow raises for a file that it cannot decode."""
    with Image.open(path) as image:
        return shown(image)


def shown(image: Image.Image) -> Image.Image:
    """Return a picture as browsers show it, as 8-bit RGB on white. They turn every format but WebP by its EXIF."""
    picture = on_white(image)
    return picture if image.format == "WEBP" else upright(picture, image.getexif())


def upright(picture: Image.Image, exif: Image.Exif) -> Image.Image:
    """Return a picture turned by its EXIF orientation. An orientation that does not exist counts as none."""
    turn = TURNS.get(exif.get(ExifTags.Base.Orientation))  # type: ignore[arg-type]
    return picture if turn is None else picture.transpose(turn)


def on_white(image: Image.Image) -> Image.Image:
    """Return a picture as 8-bit RGB: 16 bits scaled to 8, transparency on white."""
    if not image.has_transparency_data and not image.mode.startswith("I"):
        return image.convert("RGB")
    drawn = rgba(image)
    page = Image.new("RGBA", drawn.size, (*WHITE, 255))
    page.alpha_composite(drawn)
    return page.convert("RGB")


def rgba(image: Image.Image) -> Image.Image:
    """Return a picture as 8-bit RGBA, 16 bits scaled to 8. Pillow scales colours itself, and clips grey at 255."""
    _scale_transparent(image)
    if not image.mode.startswith("I"):
        return image.convert("RGBA")
    levels = np.asarray(image).astype(np.int64).clip(0, 65535)
    grey = Image.fromarray(((levels * 255 + 32767) // 65535).astype(np.uint8))
    opaque = Image.fromarray(np.where(levels == image.info.get("transparency"), 0, 255).astype(np.uint8))
    return Image.merge("RGBA", (grey, grey, grey, opaque))


def _scale_transparent(image: Image.Image) -> None:
    """Scale the transparent colour of a PNG to 8 bits, as Pillow scales the pixels when it decodes them."""
    if not isinstance(image, ImageFile.ImageFile) or not image.tile:  # not from a file, or decoded already
        return
    transparent, layout = image.info.get("transparency"), image.tile[0].args
    if isinstance(transparent, int) and layout in ("L;2", "L;4"):
        image.info["transparency"] = transparent * (85 if layout == "L;2" else 17)
    elif isinstance(transparent, tuple) and layout == "RGB;16B":
        image.info["transparency"] = tuple(level >> 8 for level in transparent)
