"""Read a data folder: a tree of animations with `metadata.jsonl` or `metadata.csv`, checked file by file.

The layout is Hugging Face's imagefolder. The module does not import torch, because the command line lists and checks
folders with it.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from rdtf_bench.core.errors import DataError, listed
from rdtf_bench.core.store import key_of, write_text
from rdtf_bench.data.reading.captions import Row, caption_from_name, find_metadata, read_metadata, split_by_caption
from rdtf_bench.data.reading.inspection import SUFFIXES, Facts, inspect

SPLITS = ("train", "validation", "test")
CACHE_VERSION = 1  # raised when `inspect` returns something else
Progress = Callable[[int, int], None]  # number of files done, number of all files


@dataclass(frozen=True, kw_only=True)
class Clip:
    """One animation of at least two frames."""

    id: str
    path: Path
    caption: str
    cluster: str  # clips of one cluster are not independent: they show one drawing, or share a caption
    split: str
    num_frames: int
    sha256: str


@dataclass(frozen=True, kw_only=True)
class Broken:
    """A file that cannot be used, and the reason."""

    path: Path
    why: str


@dataclass(frozen=True, kw_only=True)
class Folder:
    """The content of a data folder; clips are sorted by id."""

    root: Path
    clips: tuple[Clip, ...]
    broken: tuple[Broken, ...]
    stills: tuple[Path, ...]  # images of a single frame, which are ignored
    uncaptioned: tuple[Path, ...]  # animations that the metadata does not name
    captions_from: str
    split_from: str

    def require_unbroken(self, *, skip_broken: bool) -> None:
        """Raise DataError that lists the broken files, unless they may be skipped."""
        if self.broken and not skip_broken:
            raise DataError(
                f"{self.root}: {_count(len(self.broken), 'file')} cannot be used:\n"
                + listed([f"{item.path}: {item.why}" for item in self.broken])
                + "\nRepair or remove them, or leave them out with --skip-broken."
            )

    def counts(self) -> dict[str, int]:
        """Return the number of clips of each split."""
        found = Counter(clip.split for clip in self.clips)
        return {split: found[split] for split in SPLITS}


@dataclass(frozen=True, kw_only=True)
class Chosen:
    """The clips that `choose` selected."""

    clips: tuple[Clip, ...]
    left_out_short: int  # number of clips of the split that have too few frames


def read(root: Path, *, name: str, cache: Path | None = None, on_progress: Progress | None = None) -> Folder:
    """Read and check a data folder; `name` is the first part of every clip id.

    `cache` is a JSON file with the results of earlier calls, which are used for files of the same size and modification
    time. Raises DataError if the folder or its metadata is wrong. Single broken files are listed in the result.
    """
    files = _animation_files(root)
    metadata = find_metadata(root)
    rows = {row.file_name: row for row in read_metadata(metadata)} if metadata else {}
    if metadata:
        _require_present(metadata, rows, files)
    facts = _inspect_all(root, files, cache, on_progress)
    ids = _ids(name, files, rows)
    usable = [at for at, found in facts.items() if found.num_frames > 1 and (at in rows or not metadata)]
    captions = {
        at: rows[at].caption if at in rows else caption_from_name(PurePosixPath(root.name) / at) for at in usable
    }
    splits = {at: row.split for at, row in rows.items() if row.split}
    clusters = _clusters(captions, rows)
    clips = [
        Clip(
            id=ids[at],
            path=root / at,
            caption=captions[at],
            cluster=clusters[at],
            split=splits.get(at) or split_by_caption(clusters[at]),
            num_frames=facts[at].num_frames,
            sha256=facts[at].sha256,
        )
        for at in usable
    ]
    broken = [Broken(path=root / at, why=found.why_broken) for at, found in facts.items() if found.why_broken]
    stills = tuple(root / at for at, found in facts.items() if found.num_frames == 1)
    if not clips and not broken:
        raise DataError(f"{root}: holds no animation: {_count(len(stills), 'still image')} {_wanted()}")
    return Folder(
        root=root,
        clips=tuple(sorted(clips, key=lambda clip: clip.id)),
        broken=tuple(broken),
        stills=stills,
        uncaptioned=tuple(root / at for at in files if metadata and at not in rows),
        captions_from=metadata.name if metadata else "file names",
        split_from="split column" if splits else "sha256 of the caption, 80/10/10",
    )


def choose(clips: Sequence[Clip], *, split: str, most: int | None = None, min_frames: int = 1) -> Chosen:
    """Choose at most `most` clips of a split, from as many clusters as possible, sorted by id.

    A clip that is added to or removed from the folder changes at most one of the chosen clips.
    """
    in_split = [clip for clip in clips if clip.split == split]
    long_enough = [clip for clip in in_split if clip.num_frames >= min_frames]
    return Chosen(
        clips=tuple(sorted(_in_turn(long_enough)[:most], key=lambda clip: clip.id)),
        left_out_short=len(in_split) - len(long_enough),
    )


def _in_turn(clips: Sequence[Clip]) -> list[Clip]:
    """Order clips in turns: one clip of every cluster, then a second one of every cluster that has two, and so on.

    A hash of the ids orders the clips of each turn.
    """
    taken: Counter[str] = Counter()
    turns: list[tuple[int, Clip]] = []
    for clip in sorted(clips, key=lambda clip: hashlib.sha256(clip.id.encode()).hexdigest()):
        turns.append((taken[clip.cluster], clip))
        taken[clip.cluster] += 1
    return [clip for _, clip in sorted(turns, key=lambda turn: turn[0])]


def fingerprint(clips: Sequence[Clip]) -> str:
    """Return a hash of the ids, bytes and captions of the clips, which determine the value of a score."""
    rows = sorted((clip.id, clip.sha256, clip.caption) for clip in clips)
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]


def clustering(clips: Sequence[Clip]) -> str:
    """Return a hash of the clusters of the clips, which determine the confidence interval of a score."""
    return key_of(sorted((clip.id, clip.cluster) for clip in clips))


def _animation_files(root: Path) -> tuple[str, ...]:
    if not root.is_dir():
        what = "is not a folder" if root.exists() else "there is no such folder"
        raise DataError(f"{root}: {what}. Name a folder with animations ({', '.join(SUFFIXES)}).")
    found = []
    for folder, below, names in os.walk(root):
        below[:] = [name for name in below if not name.startswith((".", "__MACOSX"))]
        inside = Path(folder).relative_to(root)
        found += [
            (inside / name).as_posix() for name in names if name.lower().endswith(SUFFIXES) and not name.startswith(".")
        ]
    if not found:
        raise DataError(f"{root}: holds no file {_wanted()}")
    return tuple(sorted(found))


def _wanted() -> str:
    return f"that could be used. Animations are {', '.join(SUFFIXES)} files of two frames or more."


def _require_present(metadata: Path, rows: Mapping[str, Row], files: Sequence[str]) -> None:
    other = [f"{row.where}: {row.file_name}" for row in rows.values() if not row.file_name.lower().endswith(SUFFIXES)]
    if other:
        raise DataError(
            f"{metadata}: names {_count(len(other), 'file')} of another kind than {', '.join(SUFFIXES)}:\n"
            f"{listed(other)}\nConvert them, or remove their lines."
        )
    present = set(files)
    absent = [f"{row.where}: {row.file_name}" for row in rows.values() if row.file_name not in present]
    if absent:
        raise DataError(
            f"{metadata}: names {_count(len(absent), 'file')} that {'is' if len(absent) == 1 else 'are'} not there "
            f"(of {len(rows)}):\n{listed(absent)}\nPut the files below {metadata.parent}, or remove their lines."
        )


def _ids(name: str, files: Sequence[str], rows: Mapping[str, Row]) -> dict[str, str]:
    """Return the id of each file: that of the metadata, or else its path without suffix.

    The suffix is kept if two paths differ in nothing else.
    """
    stems = Counter(str(PurePosixPath(at).with_suffix("")) for at in files)
    ids = {}
    for at in files:
        stem = str(PurePosixPath(at).with_suffix(""))
        given = rows[at].id if at in rows else None
        ids[at] = f"{name}/{given or (stem if stems[stem] == 1 else at)}"
    twice = [key for key, count in Counter(ids.values()).items() if count > 1]
    if twice:
        raise DataError(f"the id {twice[0]!r} belongs to two files: give every row of the metadata an id, or none")
    return ids


def _clusters(captions: Mapping[str, str], rows: Mapping[str, Row]) -> dict[str, str]:
    """Return the cluster of each file.

    Files that share a caption or a cluster of the metadata, also through further files, form one cluster. Its name is
    the first of its captions, so that without clusters in the metadata it is the caption.
    """
    joined: dict[tuple[str, str], tuple[str, str]] = {}

    def first_of(label: tuple[str, str]) -> tuple[str, str]:
        while label in joined:
            label = joined[label]
        return label

    own = {at: ("caption", caption.casefold()) for at, caption in captions.items()}
    for at, label in own.items():
        cluster = rows[at].cluster if at in rows else None
        if cluster is not None:
            first, *others = sorted({first_of(label), first_of(("cluster", cluster))})
            joined.update(dict.fromkeys(others, first))
    return {at: first_of(label)[1] for at, label in own.items()}


def _inspect_all(root: Path, files: Sequence[str], cache: Path | None, report: Progress | None) -> dict[str, Facts]:
    known = _read_cache(cache)
    facts: dict[str, Facts] = {}
    entries = {}
    for done, at in enumerate(files, start=1):
        stamp = _stamp(root / at)
        entry = known.get(at)
        if entry is None or entry[0] != stamp:
            entry = (stamp, inspect(root / at))
        entries[at] = entry
        facts[at] = entry[1]
        if report:
            report(done, len(files))
    if cache and entries != known:
        _write_cache(cache, entries)
    return facts


def _stamp(path: Path) -> str:
    try:
        stat = path.stat()
    except OSError:  # a dangling link, which `inspect` reports
        return "absent"
    return f"{stat.st_size}:{stat.st_mtime_ns}"


def _read_cache(cache: Path | None) -> dict[str, tuple[str, Facts]]:
    """Read the results of earlier calls; unexpected content counts as none, so that all files are inspected."""
    if cache is None:
        return {}
    try:
        held = json.loads(cache.read_text())
        if held["version"] != CACHE_VERSION:
            return {}
        return {at: (stamp, Facts(**found)) for at, (stamp, found) in held["files"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _write_cache(cache: Path, entries: Mapping[str, tuple[str, Facts]]) -> None:
    held = {"version": CACHE_VERSION, "files": {at: (stamp, asdict(found)) for at, (stamp, found) in entries.items()}}
    write_text(cache, json.dumps(held))


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
