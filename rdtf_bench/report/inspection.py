"""Print what a data folder holds: tables of counts, and lists of broken files and of leaks between splits. No torch."""

from collections.abc import Iterator, Mapping

from rdtf_bench.core.errors import LISTED, listed
from rdtf_bench.data.reading.folders.folder import SPLITS, counted
from rdtf_bench.report import layouts
from rdtf_bench.run.inspection import Inspection, Leak, Spread

NONE = "none"
MEANS = {
    "same bytes": "files of the same bytes",
    "near copies": "clips that show nearly the same",
    "same caption": "clips of the same caption",
    "same cluster": "clips of the same video, scene or cluster",
}
"""What the clips of each kind of leak are."""


def render(found: Inspection) -> str:
    """Return the report as text for a terminal."""
    text = layouts.document(tables(found), notes(found), format="text", title=title(found))
    return "\n\n".join([text, *_faults(found), *_leaks(found), verdict(found)])


def title(found: Inspection) -> str:
    """Return the dataset and the folder, or that it is the built-in data."""
    where = "built-in data" if found.is_builtin else str(found.folder.root)
    return f"{found.dataset}: {where}"


def tables(found: Inspection) -> list[layouts.Table]:
    """Return the counts by split, files by kind, and the most frequent sizes and captions."""
    sizes = {f"{width}x{height}": count for (width, height), count in found.sizes_px.items()}
    kinds = [
        [kind, f"{of.num_files:,}", _mb(of.num_bytes), f"{of.num_bytes / of.num_files / 1e3:,.0f}"]
        for kind, of in found.kinds.items()
    ]
    made = [
        layouts.Table(
            heading="Splits (spreads are: smallest | 5 % | median | 95 % | largest)",
            head=["split", "clips", "clusters", "MB", "frames", "seconds", "words of a caption"],
            groups=[[_split(found, split) for split in SPLITS], [_split(found, "all")]],
            align="lrrrlll",
        ),
        layouts.Table(heading="Files of the clips", head=["kind", "files", "MB", "mean kB"], groups=[kinds]),
        _most("Sizes in pixels", "size", sizes),
    ]
    repeated = any(count > 1 for count in found.captions.values())
    return [*made, _most("Captions", "caption", found.captions)] if repeated else made


def notes(found: Inspection) -> list[str]:
    """Return where captions and splits come from, what is left out, and how many copies there are."""
    folder, left_out = found.folder, found.folder.left_out()
    uneven, without_trailer = folder.num_uneven, folder.num_without_trailer
    near = "not looked for" if folder.near_copies is None else f"{folder.num_near_copies:,} clips"
    captioned = found.splits["all"].num_captioned
    from_where = f"{captioned:,} clips have one, from {folder.captions_from}; {len(found.captions):,} are different"
    return [
        f"Captions: {from_where if captioned else NONE}.",
        f"Splits: {folder.split_from}.",
        f"Copies in any split: {folder.num_copies:,} clips of equal bytes; near copies: {near}.",
        *([f"Frames shown for different times: {uneven:,} files."] if uneven else []),
        *([f"GIF files without their last byte: {without_trailer:,}."] if without_trailer else []),
        *([f"Left out: {left_out}."] if left_out else []),
    ]


def verdict(found: Inspection) -> str:
    """Return one sentence on whether the data is sound."""
    broken, leaks = len(found.folder.broken), len(found.leaks)
    if not broken and not leaks:
        return "Sound: no file is broken, and nothing leaks between splits."
    return f"Not sound: {counted(broken, 'broken file')}, {counted(leaks, 'leak')} between splits."


def spread(of: Spread | None) -> str:
    """Return a spread as words."""
    if of is None:
        return NONE
    return " | ".join(f"{value:.3g}" for value in (of.smallest, of.p5, of.median, of.p95, of.largest))


def leak_line(leak: Leak) -> str:
    """Return the clips of a leak with their splits."""
    return " and ".join(f"{clip.id} ({clip.split})" for clip in leak.clips[:4]) + (
        f" and {len(leak.clips) - 4:,} more" if len(leak.clips) > 4 else ""
    )


def _split(found: Inspection, split: str) -> list[str]:
    of = found.splits[split]
    return [
        split,
        f"{of.num_clips:,}",
        f"{of.num_clusters:,}",
        _mb(of.num_bytes),
        spread(of.frames),
        spread(of.duration_s),
        spread(of.caption_words),
    ]


def _most(heading: str, head: str, counts: Mapping[str, int]) -> layouts.Table:
    rows = [[name, f"{count:,}"] for name, count in list(counts.items())[:LISTED]]
    more = len(counts) - len(rows)
    rows += [[f"{more:,} others", f"{sum(list(counts.values())[LISTED:]):,}"]] if more else []
    return layouts.Table(heading=f"{heading}, the most frequent", head=[head, "clips"], groups=[rows])


def _faults(found: Inspection) -> Iterator[str]:
    for fault in found.faults:
        lines = [f"{item.path}: {item.why}" for item in fault.files]
        yield f"{counted(len(fault.files), 'broken file')}: {fault.fault}\n{listed(lines)}"


def _leaks(found: Inspection) -> Iterator[str]:
    for kind, means in MEANS.items():
        if of_kind := [leak for leak in found.leaks if leak.kind == kind]:
            head = f"Leak between splits, {kind}: {counted(len(of_kind), 'group')} of {means}"
            yield f"{head}\n{listed([leak_line(leak) for leak in of_kind])}"


def _mb(num_bytes: int) -> str:
    return f"{num_bytes / 1e6:,.1f}"
