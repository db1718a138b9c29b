"""Write what a data folder holds as a JSON file and as an HTML page with plots and thumbnails. No torch."""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

from rdtf_bench.core.dataset import Clip
from rdtf_bench.core.store import write_text
from rdtf_bench.data.reading.folders.folder import SPLITS
from rdtf_bench.data.reading.media import Unreadable
from rdtf_bench.report import inspection as report
from rdtf_bench.report.page.clips import data_uri
from rdtf_bench.report.page.plots import Plot, plot
from rdtf_bench.report.page.rendering import render
from rdtf_bench.run.inspection import Inspection, Leak, pictures

SHOWN_OF_SPLIT, SHOWN_OF_KIND, SHOWN_OF_GROUP = 8, 12, 4
"""Number of clips shown of a split, of groups of a kind of leak (and of copies), and of clips of a group."""
STRIP_FRAMES, FRAME_PX = 4, 72
BINS = 30
MOST_SHOWN = 0.99
"""Quantile of the values at which a histogram ends; larger values are counted in its last bin."""


@dataclass(frozen=True, kw_only=True)
class Strip:
    """Some frames of a clip side by side. `uri` is empty if they could not be decoded."""

    clip: Clip
    uri: str
    width_px: int


def write(found: Inspection, folder: Path) -> list[Path]:
    """Write `inspect.json` and `index.html` into a folder and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "inspect.json", folder / "index.html"]
    write_text(paths[0], json.dumps(facts(found), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    write_text(paths[1], page(found))
    return paths


def facts(found: Inspection) -> dict[str, Any]:
    """Return what was found as values that JSON can hold. Paths are relative to the folder."""
    folder = found.folder
    return {
        "dataset": found.dataset,
        "source": found.source,
        "sound": not found.leaks and not folder.broken,
        "splits": {split: asdict(of) for split, of in found.splits.items()},
        "split_from": folder.split_from,
        "captions_from": folder.captions_from,
        "kinds": {kind: asdict(of) for kind, of in found.kinds.items()},
        "sizes_px": [
            {"width": width, "height": height, "clips": count} for (width, height), count in found.sizes_px.items()
        ],
        "captions": found.captions,
        "broken": [
            {"fault": fault.fault, "files": [{"path": found.place(item.path), "why": item.why} for item in fault.files]}
            for fault in found.faults
        ],
        "copies": [[clip.id for clip in group] for group in found.copies],
        "near_copies_looked_for": folder.near_copies is not None,
        "leaks": [
            {"kind": leak.kind, "clips": [{"id": clip.id, "split": clip.split} for clip in leak.clips]}
            for leak in found.leaks
        ],
        "left_out": {
            "still_images": len(folder.stills),
            "without_metadata": len(folder.uncaptioned),
            "other_kinds": dict(folder.other_kinds),
            "notes": dict(folder.notes),
        },
        "uneven": folder.num_uneven,
        "without_trailer": folder.num_without_trailer,
    }


def page(found: Inspection) -> str:
    """Return the HTML page. All pictures are inside it."""
    return render(
        "inspection.html",
        found=found,
        title=report.title(found),
        verdict=report.verdict(found),
        is_sound=not found.leaks and not found.folder.broken,
        tables=report.tables(found),
        notes=report.notes(found),
        plots=list(_plots(found)),
        samples={split: _strips(_spread_out(found.clips, split)) for split in SPLITS},
        leaks={means: _groups(found, kind) for kind, means in report.MEANS.items()},
        copies=[(len(group), _strips(group[:SHOWN_OF_GROUP])) for group in found.copies[:SHOWN_OF_KIND]],
        shown_of_kind=SHOWN_OF_KIND,
    )


def _groups(found: Inspection, kind: str) -> tuple[int, list[tuple[Leak, list[Strip]]]]:
    """Return the number of leaks of a kind, and the first ones with their pictures."""
    leaks = [leak for leak in found.leaks if leak.kind == kind]
    return len(leaks), [(leak, _strips(leak.clips[:SHOWN_OF_GROUP])) for leak in leaks[:SHOWN_OF_KIND]]


def _spread_out(clips: Sequence[Clip], split: str) -> list[Clip]:
    """Return some clips of a split at equal distances in the order of their ids."""
    of_split = [clip for clip in clips if clip.split == split]
    count = min(SHOWN_OF_SPLIT, len(of_split))
    return [of_split[place * len(of_split) // count] for place in range(count)]


def _strips(clips: Sequence[Clip]) -> list[Strip]:
    return [_strip(clip) for clip in clips]


def _strip(clip: Clip) -> Strip:
    count = min(STRIP_FRAMES, clip.num_frames)
    width = count * FRAME_PX
    strip = Image.new("RGB", (width, FRAME_PX), "white")
    try:
        for place, frame in enumerate(pictures(clip, [number * clip.num_frames // count for number in range(count)])):
            frame.thumbnail((FRAME_PX, FRAME_PX))
            left = place * FRAME_PX + (FRAME_PX - frame.width) // 2
            strip.paste(frame, (left, (FRAME_PX - frame.height) // 2))
    except Unreadable:  # a video is not decoded when its folder is read, so damage may show only here
        return Strip(clip=clip, uri="", width_px=width)
    encoded = io.BytesIO()
    strip.save(encoded, "WEBP", quality=80)
    return Strip(clip=clip, uri=data_uri("image/webp", encoded.getvalue()), width_px=width)


def _plots(found: Inspection) -> Iterator[Plot]:
    """Yield one histogram for each property that differs between clips."""
    clips = found.clips
    measured: Mapping[str, Sequence[tuple[str, float]]] = {
        "Frames": [(clip.split, float(clip.num_frames)) for clip in clips],
        "Seconds": [(clip.split, clip.duration_us / 1e6) for clip in clips if clip.duration_us is not None],
        "Longer side, pixels": [(clip.split, float(max(clip.size_px))) for clip in clips if clip.size_px is not None],
        "Words of a caption": [(clip.split, float(len(clip.caption.split()))) for clip in clips if clip.caption],
    }
    for title, values in measured.items():
        if len({value for _, value in values}) > 1:
            median = sorted(value for _, value in values)[len(values) // 2]
            alt = f"Histogram: {title.lower()} of {len(values):,} clips by split; the median is {median:g}."
            yield plot(title, alt, _histogram(title, values))


def _histogram(title: str, values: Sequence[tuple[str, float]]) -> Figure:
    """Draw stacked bars, one colour per split. Where the values are whole numbers, every bar has as many of them."""
    ordered = sorted(value for _, value in values)
    lowest, highest = ordered[0], ordered[int(MOST_SHOWN * (len(ordered) - 1))]
    whole = all(value == int(value) for value in ordered)
    if whole:
        step, start = float(-(-(highest - lowest + 1) // BINS)), lowest - 0.5
    else:
        step, start = (highest - lowest or 1.0) / BINS, lowest
    edges = [start, start + step]
    while edges[-1] < highest:
        edges.append(edges[-1] + step)
    of_split = [[min(value, edges[-1]) for split, value in values if split == name] for name in SPLITS]
    figure = Figure(figsize=(4.8, 2.7), dpi=120, layout="constrained")
    axes = figure.subplots()
    axes.hist(of_split, bins=edges, stacked=True, color=("C0", "C1", "C2"), label=SPLITS, rwidth=0.9)
    axes.locator_params(axis="x", integer=whole)
    axes.locator_params(axis="y", integer=True)
    axes.set_xlabel(title)
    axes.set_ylabel("clips")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize="small")
    return figure
