"""Write the page on which raters rank the clips of an arena. Names of rows do not stand in it."""

from pathlib import Path

from rdtf_bench.core.store import write_text
from rdtf_bench.report.page.clips import sprite
from rdtf_bench.report.page.rendering import render
from rdtf_bench.run.arena.make import Frames, KnownFrames, Material

TITLE = "Rank animated stickers"
QUALITY, LARGEST_PX = 90, 256
"""Quality of the pictures. It is higher than that of a gallery, as raters must judge the clips and not their coding."""


def write(material: Material, path: Path) -> Path:
    """Write the page as one HTML file, which needs no network."""
    write_text(path, render("arena.html", title=TITLE, page=content(material)))
    return path


def content(material: Material) -> dict[str, object]:
    """Return what the page's script reads. Keys are sorted, so that their order says nothing about the rows."""
    sprites = {key: _sprite(frames) for key, frames in sorted(material.clips.items())}
    num_frames, _, height, width = next(iter(material.clips.values())).shape
    return {
        "arena": material.arena.id,
        "num_frames": num_frames,
        "ratio": f"{width} / {height}",
        "criteria": {one.name: one.model_dump(mode="json") for one in material.arena.criteria},
        "clips": {
            clip.id: {
                "caption": clip.caption,
                "known": _sprite(material.known[clip.id]) if len(material.known[clip.id]) else "",
                "num_known": len(material.known[clip.id]),
            }
            for clip in material.arena.clips
        },
        "questions": [
            {"clip": asked.clip, "criterion": asked.criterion, "order": list(asked.order)}
            for asked in material.questions
        ],
        "sprites": sprites,
    }


def _sprite(frames: Frames | KnownFrames) -> str:
    return str(sprite(frames.numpy(), largest_px=LARGEST_PX, quality=QUALITY).uri)
