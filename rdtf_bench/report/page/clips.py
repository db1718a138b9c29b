"""Turn a clip into one picture inside a page: all frames side by side, as a lossy WebP in a data URI. No torch."""

import base64
import io
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8
from markupsafe import Markup
from PIL import Image

LARGEST_PX = 128
"""Larger frames are reduced to this size, so that a page of a thousand clips stays below 25 MB."""
QUALITY = 75
"""Quality of lossy WebP. At 75, a real sticker of eight frames takes about 4 kB at 64 px and 6 kB at 128 px."""


@dataclass(frozen=True, kw_only=True)
class Sprite:
    """The frames of a clip from left to right in one picture. A page shows one frame by moving the picture."""

    uri: Markup
    num_frames: int
    width_px: int  # of one frame
    height_px: int


def sprite(clip: UInt8[np.ndarray, "F C H W"], *, largest_px: int = LARGEST_PX, quality: int = QUALITY) -> Sprite:
    """Return the sprite sheet of a clip (`video[i].numpy()`).

    Frames whose longer side exceeds `largest_px` are reduced; smaller ones keep their pixels.
    """
    frames = [reduced(Image.fromarray(np.ascontiguousarray(frame.transpose(1, 2, 0))), largest_px) for frame in clip]
    width, height = frames[0].size
    sheet = Image.new("RGB", (width * len(frames), height))
    for place, frame in enumerate(frames):
        sheet.paste(frame, (place * width, 0))
    encoded = io.BytesIO()
    sheet.save(encoded, "WEBP", quality=quality)
    return Sprite(
        uri=data_uri("image/webp", encoded.getvalue()), num_frames=len(frames), width_px=width, height_px=height
    )


def reduced(picture: Image.Image, largest_px: int) -> Image.Image:
    """Return the picture with its longer side at most `largest_px`."""
    if max(picture.size) <= largest_px:
        return picture
    scale = largest_px / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    return picture.resize(size, Image.Resampling.LANCZOS)


def data_uri(media_type: str, data: bytes) -> Markup:
    """Return data as a URI. Base64 and the words around it are safe in an attribute of HTML."""
    return Markup(f"data:{media_type};base64,{base64.b64encode(data).decode()}")
