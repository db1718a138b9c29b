"""Eye surgery (OphNet2024): windows of eight frames of annotated videos, or a stand-in that is made here.

A folder holds what the archives of the dataset unpack to, wherever that lies: the videos `case_0002.mp4`, or trimmed
segments `case_0002/case_0002_0.mp4`, and the annotations `OphNet2024_loca_all.csv` and so on. It may hold a part of the
videos. Clips are windows of eight consecutive frames at the video's own rate, side by side, inside annotated segments.

The paper does not say which clips it uses. Here, 2,000 clips of 25 videos of the published split `val` are for test, as
many of 25 other such videos for validation, and the clips of all other videos for training, those of the published
split `test` included. The annotated windows of the published train and test videos alone are 1,000,505, so the paper's
1.1 million training clips cannot come from them.

Videos are not decoded when a folder is read (see reading/videos/index.py): only files that are cut off or damaged in
their structure are listed as broken. Importing the module imports neither torch nor PyAV.
"""

import csv
import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from rdtf_bench.core.dataset import Builtin, Clip
from rdtf_bench.core.errors import DataError, listed
from rdtf_bench.data.reading.folders.folder import Folder
from rdtf_bench.data.reading.folders.folder import choose as choose  # what every dataset module offers
from rdtf_bench.data.reading.folders.folder import clustering as clustering
from rdtf_bench.data.reading.folders.folder import fingerprint as fingerprint
from rdtf_bench.data.reading.folders.index import Progress, index_file
from rdtf_bench.data.reading.folders.inspection import EVEN_US
from rdtf_bench.data.reading.folders.walk import Broken, Tree, told, walk
from rdtf_bench.data.reading.videos.index import Times, VideoFacts, inspect_videos
from rdtf_bench.data.toy import surgery

MORE_CLIPS = (
    "Add videos, as with `rdtf-bench data fetch ophnet`: clips for test and validation come from those that the "
    "annotations give the split val, and clips for training from all others."
)
CLIP_FRAMES = 8
STRIDE = 8
SEED = 0
HELD_OUT_VIDEOS = 25  # of the published split val, for test and as many for validation; half of a smaller split
HELD_OUT_CLIPS = 2_000  # of the paper's test
ANNOTATIONS = (
    "OphNet2024_loca_all.csv",
    "OphNet2024_loca_challenge.csv",
    "OphNet2024_loca_challenge_phase.csv",
    "OphNet2024_loca_challenge_trimmed.csv",
    "OphNet2024_loca_challenge_phase_trimmed.csv",
)
"""Annotations from the preferred one on. The first one is used that names a video which is there."""
COLUMNS = ("video_id", "start", "end", "split")
SEGMENT_PATH = "segment_path"  # the column of trimmed segments
PUBLISHED_SPLITS = ("train", "val", "test")
NOT_THERE = "annotated videos that are not there"
ROUNDING_US = 10_000  # annotations have two decimals

Facts = Mapping[str, VideoFacts]  # by the path of the video below the root


@dataclass(frozen=True, kw_only=True)
class Segment:
    """One row of the annotations."""

    video: str
    file: str  # the end of the path of the file that shows it
    start_us: int
    end_us: int
    split: str  # the published one
    is_trimmed: bool = False  # whether the file holds the segment alone


@dataclass(frozen=True, kw_only=True)
class Annotations:
    """The rows of the table in use."""

    name: str
    segments: tuple[Segment, ...]
    broken: tuple[Broken, ...]  # rows that cannot be used
    files: Mapping[str, str]  # the path below the root of each file of a segment that is there
    num_absent: int  # files of segments that are not there
    is_trimmed: bool


@dataclass(frozen=True, kw_only=True)
class Window:
    """A clip before it has a split."""

    segment: Segment
    first: int

    @property
    def id(self) -> str:
        """Return the id of the clip: the stem of its video and the number of its first frame."""
        return f"{PurePosixPath(self.segment.file).stem}/{self.first:06d}"


@dataclass(frozen=True, kw_only=True)
class Config:
    """The dataset has no option."""


def builtin() -> Builtin:
    """Return the fingerprint and the counts of the stand-in."""
    segments = [
        Segment(video=plan.video_id, file=plan.video_id, start_us=start, end_us=end, split=plan.split)
        for plan in surgery.plans()
        for start, end in plan.segments_us()
    ]
    times = {plan.video_id: np.asarray(plan.times_us(), np.int64) for plan in surgery.plans()}
    windows, _ = _windows(segments, times)
    counts = Counter(split for split, _ in _drawn(windows, _splits(segments)))
    return Builtin(fingerprint=f"{surgery.NAME}-{surgery.fingerprint()}", counts=counts)


def prepare(source: str | None, *, store: Path) -> Path:
    """Return the folder of a source; None is the stand-in, which is written if it is not there yet."""
    if source is not None:
        return Path(source)
    root = store / "data" / builtin().fingerprint
    surgery.write(root)
    return root


def read(root: Path, *, name: str = "ophnet", cache: Path | None = None, on_progress: Progress | None = None) -> Folder:
    """Read the clips of a folder; `cache` is a folder of indexes, one per data folder.

    Raises DataError for a folder without videos or annotations, and for annotations that cannot be understood. Files
    and single rows that cannot be used are listed in the result.
    """
    tree = walk(root, (".mp4", ".csv"))
    used = _annotated(tree)
    splits = _splits(used.segments)
    facts = inspect_videos(
        {at: tree.files[at] for at in dict.fromkeys(used.files.values())},
        cache=index_file(cache, name, root),
        on_progress=on_progress,
    )
    times = {file: facts[at].times_us for file, at in used.files.items() if not _why_broken(at, facts, used)}
    windows, notes = _windows(used.segments, times)
    clips = [_clip(name, window, split, used.files, tree.files, facts) for split, window in _drawn(windows, splits)]
    broken = (
        *used.broken,
        *(Broken(path=tree.files[at], why=why) for at in facts if (why := _why_broken(at, facts, used))),
        *tree.dangling,
    )
    if not broken and not any(clip.split == "test" for clip in clips):
        wanted = sorted(f"{video}.mp4" for video, split in splits.items() if split == "test")
        raise DataError(
            f"{root}: holds no clip for test. They come from {len(wanted)} videos that {used.name} gives the split "
            f"val:\n{listed(wanted)}\nDownload some of them."
        )
    return Folder(
        root=root,
        clips=tuple(sorted(clips, key=lambda clip: clip.id)),
        broken=broken,
        stills=(),
        uncaptioned=tuple(path for at, path in tree.files.items() if at.endswith(".mp4") and at not in facts),
        other_kinds=tree.other_kinds,
        num_uneven=sum(_is_uneven(found.times_us) for found in facts.values()),
        num_without_trailer=0,
        captions_from="none",
        split_from=_told_splits(used.name, splits),
        notes={what: count for what, count in (notes | {NOT_THERE: used.num_absent}).items() if count},
    )


def _annotated(tree: Tree) -> Annotations:
    """Return the first of the known annotations that names a video which is there."""
    tables = _tables(tree)
    videos = [at for at in tree.files if at.lower().endswith(".mp4")]
    other = f" Files of other kinds: {told(tree.other_kinds)}." if tree.other_kinds else ""
    if not videos:
        raise DataError(
            f"{tree.root}: holds no video such as case_0002.mp4.{other} Get them with `rdtf-bench data "
            "fetch ophnet`, or download OphNet2024_all, or a part of it, from xioamiyh/OphNet2024 on Hugging Face, and "
            "unpack it with `cat OphNet2024_all.tar.gz.* | tar xz`."
        )
    if not tables:
        raise DataError(
            f"{tree.root}: holds no annotations, that is none of {', '.join(ANNOTATIONS)}. Copy {ANNOTATIONS[0]} into "
            "it from the folder annotation of minghu0830/OphNet-benchmark on GitHub."
        )
    tried = []
    for name in filter(tables.__contains__, ANNOTATIONS):
        segments, broken = _segments(tables[name])
        wanted = {segment.file for segment in segments}
        if files := _files(tree.root, wanted, videos):
            return Annotations(
                name=name,
                segments=segments,
                broken=broken,
                files=files,
                num_absent=len(wanted) - len(files),
                is_trimmed=_is_trimmed(name),
            )
        tried.append(f"{tables[name]}: names {', '.join(sorted(wanted)[:3])} ...")
    raise DataError(
        f"{tree.root}: none of the videos is there that the annotations name:\n{listed(tried)}\nThere are "
        f"{len(videos):,} others, such as {videos[0]}. Trimmed segments need {ANNOTATIONS[3]} or {ANNOTATIONS[4]}; "
        "download it with their archives."
    )


def _tables(tree: Tree) -> dict[str, Path]:
    """Return the known annotations by their names."""
    tables: dict[str, tuple[str, Path]] = {}
    for at, path in tree.files.items():
        name = PurePosixPath(at).name
        if name in tables and path.read_bytes() != tables[name][1].read_bytes():
            raise DataError(
                f"{tree.root}: holds annotations twice, with different content: {tables[name][0]} and {at}. Remove one."
            )
        if name in ANNOTATIONS:
            tables.setdefault(name, (at, path))
    return {name: path for name, (_, path) in tables.items()}


def _is_trimmed(name: str) -> bool:
    return name.endswith("_trimmed.csv")


def _segments(path: Path) -> tuple[tuple[Segment, ...], tuple[Broken, ...]]:
    """Return the rows of a table, and those whose times cannot be used."""
    is_trimmed = _is_trimmed(path.name)
    needed = (*COLUMNS, SEGMENT_PATH) if is_trimmed else COLUMNS
    segments, broken, faults = [], [], []
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file)
            if missing := [column for column in needed if column not in (table.fieldnames or ())]:
                has = ", ".join(table.fieldnames or ["none"])
                raise DataError(
                    f"{path}: lacks the columns {', '.join(missing)}. It has {has}. Download the annotations again."
                )
            for row in table:
                line = f"line {table.line_num}"
                if not row["video_id"] or row["split"] not in PUBLISHED_SPLITS or not all(row[name] for name in needed):
                    faults.append(f"{line}: video {row['video_id']!r}, split {row['split']!r}")
                elif why := _bad_times(row["start"], row["end"]):
                    broken.append(Broken(path=path, why=f"{line}: {why}"))
                else:
                    segments.append(_segment(row, is_trimmed))
    except (OSError, UnicodeDecodeError, csv.Error) as fault:
        raise DataError(f"{path}: cannot be read as a CSV file: {fault}. Download the annotations again.") from fault
    if faults:
        raise DataError(
            f"{path}: rows that lack a value or whose split is none of {', '.join(PUBLISHED_SPLITS)}: {len(faults)}\n"
            f"{listed(faults)}\nCorrect or remove them."
        )
    _require_one_split(path, segments)
    return tuple(segments), tuple(broken)


def _segment(row: Mapping[str, str], is_trimmed: bool) -> Segment:
    return Segment(
        video=row["video_id"],
        file="/".join(PurePosixPath(row[SEGMENT_PATH]).parts[-3:]) if is_trimmed else f"{row['video_id']}.mp4",
        start_us=round(float(row["start"]) * 1_000_000),
        end_us=round(float(row["end"]) * 1_000_000),
        split=row["split"],
        is_trimmed=is_trimmed,
    )


def _bad_times(start: str, end: str) -> str | None:
    """Return why a row's times cannot be used, or None."""
    try:
        start_s, end_s = float(start), float(end)
    except ValueError:
        return f"start {start!r} or end {end!r} is no number of seconds"
    if not (0 <= start_s < math.inf and 0 <= end_s < math.inf):
        return f"start {start} or end {end} is no time of a video"
    return None if start_s < end_s else f"ends at {end} s, not after its start at {start} s"


def _require_one_split(path: Path, segments: Sequence[Segment]) -> None:
    found: dict[str, set[str]] = defaultdict(set)
    for segment in segments:
        found[segment.video].add(segment.split)
    if several := [f"{video}: {', '.join(sorted(splits))}" for video, splits in found.items() if len(splits) > 1]:
        raise DataError(
            f"{path}: videos with rows in several splits: {len(several)}\n{listed(several)}\nGive all rows of a video "
            "one split."
        )


def _files(root: Path, wanted: Set[str], videos: Sequence[str]) -> dict[str, str]:
    """Return the path below the root of each wanted file that is there, however deep it lies.

    Trimmed segments of phases and of operations have the same names, so the longest ends of paths are compared by which
    any file is found.
    """
    longest = max((len(PurePosixPath(file).parts) for file in wanted), default=0)
    for length in range(longest, 0, -1):
        there: dict[str, list[str]] = defaultdict(list)
        for at in videos:
            there[_end(at, length)].append(at)
        found = {file: there[end] for file in sorted(wanted) if (end := _end(file, length)) in there}
        if twice := [" and ".join(paths) for paths in found.values() if len(paths) > 1]:
            raise DataError(f"{root}: files that are there twice: {len(twice)}\n{listed(twice)}\nRemove one of each.")
        if found:
            return {file: paths[0] for file, paths in found.items()}
    return {}


def _end(path: str, length: int) -> str:
    return "/".join(PurePosixPath(path).parts[-length:])


def _windows(segments: Sequence[Segment], times: Mapping[str, Times]) -> tuple[list[Window], dict[str, int]]:
    """Return the windows of the segments whose videos are there, and what was cut or left out.

    Segments may overlap; a later one then gives only what lies behind the earlier one.
    """
    windows: list[Window] = []
    num_cut = num_short = 0
    free_us: dict[str, int] = {}  # by video, where the segments so far end
    for segment in sorted(segments, key=lambda segment: (segment.video, segment.start_us, segment.end_us)):
        if segment.file not in times:
            continue
        shown_us = times[segment.file] + (segment.start_us if segment.is_trimmed else 0)
        begin_us = max(segment.start_us, free_us.get(segment.video, 0))
        first, end = np.searchsorted(shown_us, (begin_us, segment.end_us))
        starts = range(int(first), int(end) - CLIP_FRAMES + 1, STRIDE)
        windows += [Window(segment=segment, first=start) for start in starts]
        ends_us = 2 * shown_us[-1] - shown_us[-2]
        num_cut += not segment.is_trimmed and bool(segment.end_us > ends_us + ROUNDING_US)
        num_short += not starts
        free_us[segment.video] = max(free_us.get(segment.video, 0), segment.end_us)
    return windows, {
        "annotated segments that end after their video": num_cut,
        f"annotated segments with less than {CLIP_FRAMES} frames of their own": num_short,
    }


def _splits(segments: Iterable[Segment]) -> dict[str, str]:
    """Return the split of each annotated video, whether it is there or not, so that further downloads move none."""
    videos = {segment.video: segment.split for segment in segments}
    held_out = sorted((video for video, split in videos.items() if split == "val"), key=_draw)
    num_test = min(HELD_OUT_VIDEOS, (len(held_out) + 1) // 2)
    splits = dict.fromkeys(videos, "train")
    splits |= dict.fromkeys(held_out[:num_test], "test")
    splits |= dict.fromkeys(held_out[num_test : num_test + HELD_OUT_VIDEOS], "validation")
    return splits


def _drawn(windows: Iterable[Window], splits: Mapping[str, str]) -> Iterator[tuple[str, Window]]:
    """Yield the windows that are clips, with their splits: all for training, and as many as the paper's for others."""
    by_split: dict[str, list[Window]] = defaultdict(list)
    for window in windows:
        by_split[splits[window.segment.video]].append(window)
    for split, found in by_split.items():
        if split != "train":
            found = sorted(found, key=lambda window: _draw(window.id))[:HELD_OUT_CLIPS]
        yield from ((split, window) for window in found)


def _draw(text: str) -> str:
    """Return a random order of texts that does not depend on which others there are."""
    return hashlib.sha256(f"{SEED}/{text}".encode()).hexdigest()


def _clip(
    name: str, window: Window, split: str, files: Mapping[str, str], paths: Mapping[str, Path], facts: Facts
) -> Clip:
    at = files[window.segment.file]
    part = (window.first, CLIP_FRAMES)
    first_us, last_us = facts[at].times_us[[window.first, window.first + CLIP_FRAMES - 1]].tolist()
    return Clip(
        id=f"{name}/{window.id}",
        path=paths[at],
        caption="",
        cluster=window.segment.video,
        split=split,
        num_frames=CLIP_FRAMES,
        sha256=hashlib.sha256(f"{facts[at].sha256} {part}".encode()).hexdigest(),
        window=part,
        duration_us=(last_us - first_us) * CLIP_FRAMES // (CLIP_FRAMES - 1),
    )


def _why_broken(at: str, facts: Facts, used: Annotations) -> str | None:
    found = facts[at]
    fewest = 2 if used.is_trimmed else CLIP_FRAMES  # a segment may be short, a video should not be
    if found.why_broken or len(found.times_us) >= fewest:
        return found.why_broken
    return f"has {len(found.times_us)} frames, and a clip needs {CLIP_FRAMES}"


def _is_uneven(times_us: Times) -> bool:
    steps = np.diff(times_us)
    return bool(len(steps) and steps.max() - steps.min() > EVEN_US)


def _told_splits(annotations: str, splits: Mapping[str, str]) -> str:
    videos = Counter(splits.values())
    return (
        f"{annotations}: at most {HELD_OUT_CLIPS:,} clips of {videos['test']} videos of its split val for test, as "
        f"many of {videos['validation']} others for validation, and the clips of all other videos for training"
    )
