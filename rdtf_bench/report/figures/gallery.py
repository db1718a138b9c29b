"""Draw samples of several rows side by side: an animated GIF, and a PNG sheet whose columns are the frames.

Clips are NumPy arrays (`video.numpy()`), so that drawing needs no torch.
"""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from rdtf_bench.core.store import written_whole

if TYPE_CHECKING:
    from PIL import Image, ImageFont

Rows = Mapping[str, UInt8[np.ndarray, "B F C H W"]]
"""Clips to show, by the row's label; every row has the same clips in the same order."""

GAP_PX = 2
BETWEEN_CAPTIONS_PX = 8
FONT_PX = 11
LINE_PX = 13
CAPTION_LINES = 3
PALETTE_PIXELS, KMEANS_STEPS = 100_000, 4
"""Number of evenly spread pixels on which the palette is refined, and of steps. More take seconds and change little."""
DURATION_MS = 120
"""Time of one frame. A GIF stores it in units of 10 ms."""
INK = (40, 40, 40)
PAPER = (255, 255, 255)


def gif_grid(rows: Rows, *, path: Path, captions: Sequence[str], zoom: int = 2) -> Path:
    """Write an animated GIF with one line per row and one column per clip, the caption above it."""
    num_clips, num_frames, _, _, width = _shape(rows, captions)
    names = list(rows)
    pages = []
    for frame in range(num_frames):
        page = _sheet(
            [[_picture(rows[name][clip, frame], zoom) for clip in range(num_clips)] for name in names],
            names=names,
            heads=[_wrapped(caption, width * zoom + GAP_PX - BETWEEN_CAPTIONS_PX) for caption in captions],
        )
        _progress(page, (frame + 1) / num_frames)
        pages.append(page)
    first, *others = _paletted(pages)
    # without optimisation the pages keep their shared palette; their progress bars keep equal pages from being merged
    with written_whole(path) as making:
        first.save(
            making,
            format="GIF",
            save_all=True,
            append_images=others,
            duration=DURATION_MS,
            loop=0,
            optimize=False,
            disposal=1,
        )
    return path


def contact_sheet(rows: Rows, *, path: Path, captions: Sequence[str]) -> Path:
    """Write a PNG with one block per clip: one line per row of the table, one column per frame."""
    from PIL import Image

    num_clips, num_frames, *_ = _shape(rows, captions)
    names = list(rows)
    blocks = []
    for clip in range(num_clips):
        pictures = [[_picture(rows[name][clip, frame], 1) for frame in range(num_frames)] for name in names]
        blocks.append(_sheet(pictures, names=names, heads=[[captions[clip]], *[[""]] * (num_frames - 1)]))
    sheet = Image.new("RGB", (blocks[0].width, sum(block.height for block in blocks)), PAPER)
    top = 0
    for block in blocks:
        sheet.paste(block, (0, top))
        top += block.height
    with written_whole(path) as making:
        sheet.save(making, format="PNG", optimize=True)
    return path


def _shape(rows: Rows, captions: Sequence[str]) -> tuple[int, ...]:
    shapes = {name: tuple(video.shape) for name, video in rows.items()}
    if len(set(shapes.values())) != 1:
        raise ValueError(f"a grid needs rows of one shape, these are {shapes}")
    shape = next(iter(shapes.values()))
    if len(captions) != shape[0]:
        raise ValueError(f"there are {shape[0]} clips and {len(captions)} captions")
    return shape


def _picture(frame: UInt8[np.ndarray, "C H W"], zoom: int) -> "Image.Image":
    from PIL import Image

    # nearest neighbour, so that a reader sees the generated pixels
    pixels = np.asarray(frame).transpose(1, 2, 0).repeat(zoom, axis=0).repeat(zoom, axis=1)
    return Image.fromarray(np.ascontiguousarray(pixels))


def _sheet(
    pictures: "Sequence[Sequence[Image.Image]]", *, names: Sequence[str], heads: Sequence[Sequence[str]]
) -> "Image.Image":
    """Arrange pictures in a grid, with a name to the left of each line and text above each column."""
    from PIL import Image, ImageDraw

    font = _font()
    left = round(max(font.getlength(name) for name in names)) + 2 * GAP_PX + 2
    top = max(len(head) for head in heads) * LINE_PX + GAP_PX
    wide, high = pictures[0][0].width + GAP_PX, pictures[0][0].height + GAP_PX
    sheet = Image.new("RGB", (left + wide * len(heads), top + high * len(names) + 2 * GAP_PX), PAPER)
    draw = ImageDraw.Draw(sheet)
    for column, head in enumerate(heads):
        for line, words in enumerate(head):
            draw.text((left + column * wide, line * LINE_PX), words, fill=INK, font=font)
    for row, (name, line_of_pictures) in enumerate(zip(names, pictures, strict=True)):
        y = top + row * high
        draw.text((GAP_PX, y + (high - LINE_PX) // 2), name, fill=INK, font=font)
        for column, picture in enumerate(line_of_pictures):
            sheet.paste(picture, (left + column * wide, y))
    return sheet


def _wrapped(caption: str, width_px: int) -> list[str]:
    """Wrap a caption to the column; a caption of more than CAPTION_LINES lines ends in an ellipsis."""
    font = _font()
    lines = [""]
    for word in caption.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and font.getlength(longer) > width_px:
            lines.append(word)
        else:
            lines[-1] = longer
    if len(lines) > CAPTION_LINES:
        lines = [*lines[: CAPTION_LINES - 1], lines[CAPTION_LINES - 1] + " …"]
    return [_clipped(line, width_px) for line in lines]


def _clipped(line: str, width_px: int) -> str:
    font = _font()
    while font.getlength(line) > width_px and len(line) > 1:
        line = line.removesuffix("…").rstrip()[:-1] + "…"
        if line == "…":
            break
    return line


def _font() -> "ImageFont.FreeTypeFont | ImageFont.ImageFont":
    from PIL import ImageFont

    return ImageFont.load_default(size=FONT_PX)


def _progress(page: "Image.Image", part: float) -> None:
    """Draw a progress bar along the bottom, which also keeps two equal frames apart in the file."""
    from PIL import ImageDraw

    ImageDraw.Draw(page).rectangle((0, page.height - 2, round(part * page.width) - 1, page.height - 1), fill=INK)


def _paletted(pages: "Sequence[Image.Image]") -> "list[Image.Image]":
    """Convert all pages to one shared palette without dithering, so that no colour flickers."""
    from PIL import Image
    from scipy.spatial import KDTree

    pixels = np.stack([np.asarray(page) for page in pages])
    palette = _palette(pages, pixels.reshape(-1, 3))
    packed = pixels.astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], dtype=np.uint32)
    colours, places = np.unique(packed, return_inverse=True)
    wanted = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=1)
    # not Pillow's own mapping, which sorts colours into boxes and is off by some levels: white paper would turn grey
    _, indices = KDTree(palette).query(wanted)
    paletted = [Image.fromarray(page) for page in indices.astype(np.uint8)[places].reshape(pixels.shape[:3])]
    for page in paletted:
        page.putpalette(palette.tobytes())
    return paletted


def _palette(pages: "Sequence[Image.Image]", pixels: UInt8[np.ndarray, "N 3"]) -> UInt8[np.ndarray, "D 3"]:
    """Choose the colours of paper and ink and 253 more.

    A median cut alone merges small areas into their surroundings, so k-means refines it. One of the 256 entries stays
    free for the transparency with which GIF skips pixels that did not change.
    """
    from PIL import Image
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    strip = Image.fromarray(np.concatenate([np.asarray(page) for page in pages]))
    cut = strip.quantize(colors=253, method=Image.Quantize.MEDIANCUT).getpalette()
    means = np.array([*PAPER, *INK, *(cut or [])], dtype=np.float32).reshape(-1, 3)[:255]
    seen = pixels[:: max(1, len(pixels) // PALETTE_PIXELS)].astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer steps than it would take, or fewer colours
        means = KMeans(len(means), init=means, n_init=1, max_iter=KMEANS_STEPS).fit(seen).cluster_centers_
    means[:2] = PAPER, INK
    return means.round().astype(np.uint8)
